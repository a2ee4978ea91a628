"""A worker that is killed again and again loses nothing and counts nothing twice."""

import asyncio
import random
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import clean_environment
from tests.tools.oracle import assert_nothing_lost, read_ledgers, wait_until_stored
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

PRODUCERS: Final = 4
EVENTS: Final = 10_000
KILLS: Final = 5

pytestmark = [pytest.mark.timeout(900), pytest.mark.may_block("asks SQLite and files for what was stored")]


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
async def test_ten_thousand_events_of_four_producers_survive_five_kills_of_the_worker(
    kind: str, request: pytest.FixtureRequest, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    if kind == "postgresql":
        database: PostgreSQL = request.getfixturevalue("postgresql")
        url = database.url
        assert (await command("db", "upgrade", FAULTWIRE_DATABASE_URL=url))[0] == 0
    worker = WorkerProcess(tmp_path, database_url=url, broker_url=rabbitmq.url)
    reader = StoreReader(url)
    await worker.start()
    producers = [await start_producer(rabbitmq.url, number, tmp_path) for number in range(PRODUCERS)]
    await kill_while_it_stores(worker, reader)
    async with asyncio.timeout(240):
        assert [await one.wait() for one in producers] == [0] * PRODUCERS

    ledger = read_ledgers(tmp_path)
    assert len(ledger) == EVENTS
    assert {entry.state for entry in ledger} <= {"confirmed", "spooled"}
    await wait_until_stored(ledger, database_url=url, broker_url=rabbitmq.url)
    assert await worker.end() == 0
    found = await assert_nothing_lost(ledger, database_url=url, broker_url=rabbitmq.url)
    assert (found.stored, found.dead) == (EVENTS, 0)
    theirs = "SELECT {} FROM {{s}}incidents WHERE count > 0 AND service <> 'faultwire'"
    assert await reader.one(theirs.format("count(*)")) == 5 * PRODUCERS
    assert await reader.one(theirs.format("sum(count)")) == EVENTS


async def start_producer(broker_url: str, number: int, directory: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.acceptance.producer",
        broker_url,
        f"service-{number}",
        str(EVENTS // PRODUCERS),
        str(directory / f"ledger-{number}"),
        cwd=Path(__file__).parents[2],
        env=clean_environment(directory),
    )


async def kill_while_it_stores(worker: WorkerProcess, reader: StoreReader) -> None:
    seed = random.randrange(10**6)
    print(f"kills at seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        goal = min(await reader.stored() + chance.randrange(100, 1500), EVENTS - 1)

        async def has_stored_more(goal: int = goal) -> bool:
            return await reader.stored() >= goal

        await until(has_stored_more, f"{goal} events are stored", seconds=90)
        await worker.kill()
        await worker.start()
