"""A worker that is killed while it drains a backlog at full rate loses nothing and counts nothing twice."""

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.backlog import fill, messages
from tests.tools.event import FINGERPRINTS, bodies
from tests.tools.oracle import Entry, assert_nothing_lost, wait_until_stored
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

from faultwire_consumer.ingest.read.narrow import event_id_in
from faultwire_shared.event import BATCH_EVENTS

EVENTS: Final = 200_000
KILLS: Final = 5
BATCH_SECONDS: Final = 0.1

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.may_block("asks SQLite and files for what was stored"),
]


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
async def test_a_backlog_of_200_000_events_survives_five_kills_at_full_rate(
    kind: str, request: pytest.FixtureRequest, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    if kind == "postgresql":
        database: PostgreSQL = request.getfixturevalue("postgresql")
        url = database.url
    for words in (("db", "upgrade"), ("topology", "apply")):
        done = await command(*words, FAULTWIRE_DATABASE_URL=url, FAULTWIRE_BROKER_URL=rabbitmq.url)
        assert done[0] == 0, done
    ledger = await asyncio.to_thread(publish_backlog, rabbitmq.url)
    worker = WorkerProcess(tmp_path, database_url=url, broker_url=rabbitmq.url)
    reader = StoreReader(url)
    await worker.start()
    await kill_while_it_drains(worker, reader)

    await wait_until_stored(ledger, database_url=url, broker_url=rabbitmq.url)
    assert await worker.end() == 0
    found = await assert_nothing_lost(ledger, database_url=url, broker_url=rabbitmq.url)
    assert (found.stored, found.dead) == (EVENTS, 0)
    theirs = "SELECT {} FROM {{s}}incidents WHERE count > 0 AND service <> 'faultwire'"
    assert await reader.one(theirs.format("count(*)")) == FINGERPRINTS
    assert await reader.one(theirs.format("sum(count)")) == EVENTS


def publish_backlog(broker_url: str) -> list[Entry]:
    """As our client publishes in a flood; what the broker holds is the ledger."""
    moment = datetime.now(UTC)
    batches = messages(bodies(EVENTS, now=moment), BATCH_EVENTS)
    fill(broker_url, batches, count=EVENTS // BATCH_EVENTS)
    ids = (event_id_in(body) for body in bodies(EVENTS, now=moment))
    return [Entry(event_id, "confirmed") for event_id in ids if event_id is not None]


async def kill_while_it_drains(worker: WorkerProcess, reader: StoreReader) -> None:
    seed = random.randrange(10**6)
    print(f"kills at seed {seed}")
    chance = random.Random(seed)
    for goal in sorted(chance.sample(range(EVENTS // 20, EVENTS * 9 // 10), KILLS)):

        async def has_stored_more(goal: int = goal) -> bool:
            return await reader.stored() >= goal

        await until(has_stored_more, f"{goal} events are stored", seconds=180)
        await asyncio.sleep(chance.uniform(0, BATCH_SECONDS))  # anywhere in a batch, not just behind a commit
        await worker.kill()
        await worker.start()
