"""The worker is killed at every named place between receive and ack; nothing is lost or counted twice."""

from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import running
from tests.tools.factories import wire_event
from tests.tools.oracle import assert_nothing_lost
from tests.tools.publisher import Publisher, publishing
from tests.tools.store_reader import StoreReader
from tests.tools.worker_process import WorkerProcess

from faultwire_shared.failpoint import FAILPOINTS, VARIABLE

EVENTS: Final = 60
AFTER_COMMIT: Final = {"worker.committed", "worker.settling", "worker.acking", "worker.settled"}

pytestmark = pytest.mark.may_block("starts a worker's process")


async def publish_some(publisher: Publisher) -> None:
    """Singles, a batch, the same event twice, and one that becomes a dead letter."""
    twice = wire_event()
    await publisher.publish(wire_event(), {"id": "broken"}, twice)
    await publisher.publish_many(EVENTS - 2)
    await publisher.publish(twice)


@pytest.mark.line(15, 16)
@pytest.mark.parametrize("name", sorted(name for name in FAILPOINTS if name.startswith("worker.")))
async def test_a_worker_killed_between_receive_and_ack_loses_and_doubles_nothing(
    name: str, broker: RabbitMQ, database: PostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=database.url, broker_url=broker.url)
    async with publishing(broker.url) as publisher:
        await publish_some(publisher)
        await worker.launch(**{VARIABLE: name})
        assert await worker.wait_for_death() == -9
        had = await StoreReader(database.url).stored()
        async with running(database.url, broker.url) as bench:
            await bench.wait_for(EVENTS)
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (EVENTS, 1)
    if name not in AFTER_COMMIT:
        assert had == 0, "nothing is kept before the commit"
