"""An event that kills the worker takes none of its neighbours along."""

import signal
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import running
from tests.tools.factories import wire_event
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.publisher import publishing
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.ingest.read.delivery import DeliveryQueue, read_delivery
from faultwire_shared.event import Lane
from faultwire_shared.failpoint import MARKER_VARIABLE, VARIABLE
from faultwire_shared.topology import DEAD, DELIVERY_LIMIT

NEIGHBOURS: Final = 150
MARKER: Final = "kills-the-worker"
FUSE: Final = {VARIABLE: "worker.decoding", MARKER_VARIABLE: MARKER}

pytestmark = [pytest.mark.timeout(240), pytest.mark.may_block("starts a worker's process")]


async def meet_event(worker: WorkerProcess, broker: RabbitMQ, reader: StoreReader) -> bool:
    """Let the worker meet the event; whether that killed it. The broker gives it up a while after a death."""

    async def is_given_up() -> bool:
        stored = "SELECT count(*) FROM {s}dead_letters"
        return await ready_in(broker.url, DEAD) > 0 or await reader.one(stored) > 0

    async def is_over() -> bool:
        return not worker.is_running or await is_given_up()

    await worker.launch(**FUSE)
    await until(is_over, "the event kills the worker, or is given up")
    if worker.is_running:
        await worker.signal(signal.SIGKILL)
        return False
    assert await worker.wait_for_death() == -9
    return True


@pytest.mark.line(34)
@pytest.mark.e2e
async def test_an_event_that_kills_the_worker_is_dead_lettered_alone(
    broker: RabbitMQ, database: PostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=database.url, broker_url=broker.url)
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(NEIGHBOURS)
        await publisher.publish(wire_event(message=MARKER))
        await publisher.publish_many(NEIGHBOURS)
        await publisher.publish_many(NEIGHBOURS, lane=Lane.ROUTINE)
    deaths = 0
    while await meet_event(worker, broker, StoreReader(database.url)):
        deaths += 1
        assert deaths <= DELIVERY_LIMIT + 1
    assert deaths > DELIVERY_LIMIT
    async with running(database.url, broker.url) as bench:
        await bench.wait_for(3 * NEIGHBOURS)
        await bench.wait_for_dead_letters(1)
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (3 * NEIGHBOURS, 1)


async def test_a_suspect_is_a_batch_of_its_own() -> None:
    queue = DeliveryQueue()
    for attempts in (1, 2, 3, 3, 1, 1):
        queue.put(read_delivery(b"{}", None, origin="test", handle=None, attempts=attempts))
    queue.close()
    batches = [await queue.collect(size=500, linger=0.02) for _ in range(5)]
    assert [[one.attempts for one in batch] for batch in batches] == [[1, 2], [3], [3], [1, 1], []]
