"""A replay that is killed half-way and asked for again loses nothing and counts nothing twice."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aio_pika
import pytest
from aiohttp import ClientError
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import running
from tests.tools.factories import wire_body
from tests.tools.migrating import upgrade
from tests.tools.oracle import Entry, assert_nothing_lost
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.actions.dead_letters import replay_dead_letter
from faultwire_consumer.ingest.read.narrow import event_id_in
from faultwire_consumer.ingest.replay import Replayer
from faultwire_shared import amqp
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.failpoint import VARIABLE
from faultwire_shared.topology import DEAD

LETTERS: Final = 12
KILLED_AT: Final = 5
BEFORE_COMMIT: Final = "worker.committing"
AFTER_COMMIT: Final = "worker.committed"

pytestmark = [pytest.mark.timeout(240), pytest.mark.may_block("starts a worker's process")]


@pytest.mark.line(36)
@pytest.mark.e2e
@pytest.mark.parametrize(
    ("kind", "failpoint"),
    [("postgresql", BEFORE_COMMIT), ("postgresql", AFTER_COMMIT), ("sqlite", AFTER_COMMIT)],
)
async def test_a_replay_that_is_killed_and_asked_for_again_stores_each_once(
    broker: RabbitMQ, request: pytest.FixtureRequest, tmp_path: Path, *, kind: str, failpoint: str
) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    if kind == "postgresql":
        database: PostgreSQL = request.getfixturevalue("postgresql")
        await upgrade(database.url)
        url = database.url
    ledger = await give_up(broker.url)
    async with running(url, broker.url) as bench:
        await bench.wait_for_dead_letters(LETTERS)
        letters = await bench.reader.all("SELECT id FROM {s}dead_letters ORDER BY id")

    worker = WorkerProcess(tmp_path, database_url=url, broker_url=broker.url)
    await worker.launch(**{VARIABLE: f"{failpoint}:{KILLED_AT}"})
    await until(worker.is_ready, "the worker is ready", seconds=90)
    with pytest.raises((ClientError, OSError)):
        await replay_all(worker, letters)
    assert await worker.wait_for_death() == -9

    async with running(url, broker.url) as bench:
        replayer = Replayer(bench.pipeline)
        for letter in letters * 2:
            await replay_dead_letter(bench.store, letter, replayer.replay, actor="ann", now=now)
    found = await assert_nothing_lost(ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (LETTERS, 0)
    told = "SELECT count(*) FROM {s}dead_letter_history WHERE reason = 'replayed'"
    assert await StoreReader(url).one(told) == LETTERS


async def give_up(broker_url: str) -> list[Entry]:
    """Good events in the queue of what the broker gave up."""
    bodies = [wire_body() for _ in range(LETTERS)]
    connection = await amqp.connect(broker_url, "test")
    channel = await connection.channel()
    exchange = await channel.get_exchange(DEAD, ensure=False)
    for body in bodies:
        await exchange.publish(aio_pika.Message(body, type=EVENT_TYPE, delivery_mode=2), "")
    await amqp.close(connection)
    return [Entry(str(event_id_in(body)), "confirmed") for body in bodies]


async def replay_all(worker: WorkerProcess, letters: list[int]) -> None:
    for letter in letters:
        await worker.post(f"/api/v1/dead-letters/{letter}/replay", b"{}")


def now() -> datetime:
    return datetime.now(UTC)
