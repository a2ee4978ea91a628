"""The database is slow, or others are in the way: batches shrink or wait their turn, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import MANY_TRIES, RETURNED_ONCE, Bench, running
from tests.tools.factories import wire_event
from tests.tools.oracle import assert_nothing_lost
from tests.tools.publisher import Publisher, publishing
from tests.tools.waiting import until

from faultwire_consumer.store.contract.timeouts import Timeouts

BATCH: Final = 200
WAITING: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'faultwire%' AND wait_event_type = 'Lock'"
)
DEADLOCKS: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@asynccontextmanager
async def session(database: PostgreSQL) -> AsyncIterator[Any]:
    """Somebody else's session on the same database."""
    connection = await asyncpg.connect(database.url)
    try:
        yield connection
    finally:
        await connection.close()


async def assert_stored(publisher: Publisher, database: PostgreSQL, broker: RabbitMQ) -> None:
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (found.emitted, 0)


@pytest.mark.line(22)
async def test_a_batch_that_is_too_slow_goes_in_halves(broker: RabbitMQ, database: PostgreSQL) -> None:
    # Ten milliseconds a row: a batch of 200 cannot end within half a second, whatever the machine.
    slow_down(database, "pg_sleep(0.01)")
    timeouts = Timeouts(statement=0.5)
    async with (
        publishing(broker.url) as publisher,
        running(database.url, broker.url, timeouts=timeouts) as bench,
    ):
        await publisher.publish(*(wire_event() for _ in range(BATCH)))
        await bench.wait_for(BATCH)
    await assert_stored(publisher, database, broker)


def slow_down(database: PostgreSQL, call: str) -> None:
    database.execute(
        "CREATE FUNCTION faultwire.fault() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM {call}; RETURN NEW; END $$;"
        "CREATE TRIGGER fault BEFORE INSERT ON faultwire.events"
        " FOR EACH ROW EXECUTE FUNCTION faultwire.fault()"
    )


@pytest.mark.line(22)
@pytest.mark.usefixtures("quick_trials")
async def test_a_table_that_somebody_locks_is_waited_for(broker: RabbitMQ, database: PostgreSQL) -> None:
    timeouts = Timeouts(lock=0.1)
    async with (
        publishing(broker.url) as publisher,
        running(database.url, broker.url, timeouts=timeouts) as bench,
    ):
        async with session(database) as other, other.transaction():
            await other.execute("LOCK TABLE faultwire.incidents IN ACCESS EXCLUSIVE MODE")
            await publisher.publish_many(40)
            await until(bench.is_paused, "the lane is paused")
            await bench.wait_for_tries(MANY_TRIES)
            assert bench.met("SQLSTATE 55P03")
        await bench.wait_for(40)
        assert bench.most_attempts <= RETURNED_ONCE
    await assert_stored(publisher, database, broker)


@pytest.mark.line(25)
async def test_the_victim_of_a_deadlock_stores_its_batch_all_the_same(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    pair = [wire_event(message="one"), wire_event(message="other")]
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        await publisher.publish(*pair)
        await bench.wait_for(2)
        async with session(database) as other:
            # Only the worker looks for deadlocks, so that it is the victim.
            await other.execute("SET deadlock_timeout = '1h'")
            while not await other.fetchval(DEADLOCKS):
                await cross(publisher, other, bench)
                await other.execute("SELECT pg_stat_clear_snapshot()")
        await bench.wait_for(len({entry.event_id for entry in publisher.ledger}))
    await assert_stored(publisher, database, broker)


async def cross(publisher: Publisher, other: Any, bench: Bench) -> None:
    """Lock the second incident, wait until the worker has the first and wants the second, want the first."""
    first, second = await bench.reader.all("SELECT id FROM {s}incidents ORDER BY id")

    async def worker_waits() -> bool:
        bench.check()
        return bool(await other.fetchval(WAITING))

    async with other.transaction():
        await other.execute(lock_of(second))
        await publisher.publish(wire_event(message="one"), wire_event(message="other"))
        await until(worker_waits, "the worker waits for the second")
        await other.execute(lock_of(first))


def lock_of(incident: int) -> str:
    return f"SELECT 1 FROM faultwire.incidents WHERE id = {incident} FOR UPDATE"


@pytest.mark.line(25)
async def test_two_workers_on_a_serializable_database_count_one_incident_exactly(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    database.execute(f"ALTER DATABASE {database.database} SET default_transaction_isolation = 'serializable'")
    async with publishing(broker.url) as publisher, AsyncExitStack() as workers:
        benches = [await workers.enter_async_context(running(database.url, broker.url)) for _ in range(2)]
        await asyncio.gather(*(publisher.publish_many(75) for _ in range(2)))
        await benches[0].wait_for(150)
    await assert_stored(publisher, database, broker)
