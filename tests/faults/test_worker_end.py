"""The worker is told to end in the worst of moments: it finishes its batch or leaves it to the broker."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tests.faults.standstill import standing_still
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import PATIENCE_SECONDS
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.bench import running
from tests.tools.oracle import assert_nothing_lost
from tests.tools.proxy import proxy_to
from tests.tools.publisher import publishing
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.metrics import Metrics
from faultwire_shared.event import Lane

SOME: Final = 50
PROMISED_SECONDS: Final = 20.0
TRIES: Final = 5
"""A batch waits two seconds for a lock, then it goes back: a machine that takes longer has to try again."""
MakeWorker = Callable[[RabbitMQ], WorkerProcess]
TERM, INT = signal.SIGTERM, signal.SIGINT

pytestmark = [pytest.mark.timeout(300), pytest.mark.may_block("starts a worker's process")]

signals = pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([TERM], id="sigterm"),
        pytest.param([TERM, TERM], id="sigterm_twice", marks=pytest.mark.e2e),
        pytest.param([INT], id="sigint", marks=pytest.mark.e2e),
        pytest.param([INT, TERM, INT], id="all_of_them", marks=pytest.mark.e2e),
    ],
)


@pytest.fixture
async def make_worker(database: PostgreSQL, tmp_path: Path) -> AsyncIterator[MakeWorker]:
    """A worker of this broker and the test's database, not started; none outlives a test that failed."""
    made: list[WorkerProcess] = []

    def make(broker: RabbitMQ) -> WorkerProcess:
        home, url = tmp_path / str(len(made)), database.url
        home.mkdir()
        made.append(WorkerProcess(home, database_url=url, broker_url=broker.url, FAULTWIRE_LOG_FORMAT="json"))
        return made[-1]

    yield make
    for worker in made:
        if worker.is_running:
            await worker.signal(signal.SIGKILL)


async def send(worker: WorkerProcess, numbers: Sequence[signal.Signals]) -> None:
    """Send them one after the other, each once the one before has been heard."""
    for number in numbers:
        await worker.send(number)
        await wait_for_line(worker, "worker.draining")


async def wait_for_line(worker: WorkerProcess, event: str) -> None:
    async def is_told() -> bool:
        return bool(lines(worker, event))

    await until(is_told, f"the worker tells {event}", seconds=PATIENCE_SECONDS)


def lines(worker: WorkerProcess, event: str) -> list[dict[str, Any]]:
    whole = worker.log.read_text().split("\n")[:-1]
    read = (json.loads(line) for line in whole if line.startswith("{"))
    return [line for line in read if line["message"] == event]


def seconds_to_drain(worker: WorkerProcess) -> float:
    """By the worker's own clock, so that a machine that starts processes slowly is not in it."""
    (began,), (ended,) = lines(worker, "worker.draining"), lines(worker, "worker.drained")
    return (
        datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(began["timestamp"])
    ).total_seconds()


async def store_the_rest(database: PostgreSQL, broker: RabbitMQ, events: int) -> None:
    async with running(database.url, broker.url) as bench:
        await bench.wait_for(events, seconds=PATIENCE_SECONDS)


@pytest.mark.line(45)
@signals
async def test_a_batch_in_flight_is_finished(
    numbers: list[signal.Signals], broker: RabbitMQ, database: PostgreSQL, make_worker: MakeWorker
) -> None:
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(SOME)
    stored = 0
    for _ in range(TRIES):
        worker = make_worker(broker)
        async with standing_still(database.url) as standstill:
            await worker.launch()
            await standstill.wait_for_batches()
            await send(worker, numbers)
        assert await worker.wait_for_death(seconds=PATIENCE_SECONDS) == 0
        assert seconds_to_drain(worker) < PROMISED_SECONDS
        if stored := await StoreReader(database.url).stored():
            break
    assert stored, "what was in flight is stored"
    await store_the_rest(database, broker, SOME)
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert found.stored == SOME


@pytest.mark.line(45)
@pytest.mark.e2e
async def test_a_batch_that_cannot_be_finished_is_released(
    broker: RabbitMQ, database: PostgreSQL, make_worker: MakeWorker
) -> None:
    worker = make_worker(broker)
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(SOME)
    async with standing_still(database.url) as standstill:
        await worker.launch()
        await standstill.wait_for_batches()
        await send(worker, [TERM])
        assert await worker.wait_for_death(seconds=PATIENCE_SECONDS) == 0
    assert seconds_to_drain(worker) < PROMISED_SECONDS
    assert await StoreReader(database.url).stored() == 0
    await store_the_rest(database, broker, SOME)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(45)
@pytest.mark.e2e
@pytest.mark.parametrize("numbers", [[TERM], [INT, TERM]], ids=["sigterm", "sigint_then_sigterm"])
async def test_a_frozen_broker_holds_no_end(
    numbers: list[signal.Signals],
    private_broker: PrivateRabbitMQ,
    database: PostgreSQL,
    make_worker: MakeWorker,
) -> None:
    worker = make_worker(private_broker)
    async with publishing(private_broker.url) as publisher:
        await publisher.publish_many(SOME)
    async with standing_still(database.url) as standstill:
        await worker.launch()
        await standstill.wait_for_batches()
        private_broker.pause()
    await send(worker, numbers)
    assert await worker.wait_for_death(seconds=PATIENCE_SECONDS) == 0
    assert seconds_to_drain(worker) < PROMISED_SECONDS
    private_broker.resume()
    await store_the_rest(database, private_broker, SOME)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=private_broker.url)


@pytest.mark.line(45)
@pytest.mark.e2e
async def test_a_worker_that_is_connecting_to_a_frozen_broker_ends_too(
    private_broker: PrivateRabbitMQ, database: PostgreSQL, make_worker: MakeWorker
) -> None:
    worker = make_worker(private_broker)
    private_broker.pause()
    await worker.launch()
    await wait_for_line(worker, "worker.started")
    await send(worker, [TERM])
    assert await worker.wait_for_death(seconds=PATIENCE_SECONDS) == 0
    assert seconds_to_drain(worker) < PROMISED_SECONDS
    private_broker.resume()


@pytest.mark.line(45)
async def test_a_lane_that_is_just_connecting_ends_with_the_worker(broker: RabbitMQ) -> None:
    async with proxy_to(broker.port) as proxy:
        proxy.to_client.delay_seconds = 1.0
        receiver = AmqpReceiver(Lane.HIGH, broker.url_through(proxy.port), metrics=Metrics())
        run = asyncio.create_task(receiver.run())

        async def is_let_in() -> bool:
            return proxy.to_server.passed > 500  # its name and password, and what comes after them

        await until(is_let_in, "the connection stands, and the queue is asked for")
        await receiver.stop()
        await receiver.close()
        async with asyncio.timeout(60):
            await run
        assert await receiver.collect(size=1, linger=0) == []
