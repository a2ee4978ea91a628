"""The database goes, or turns its back: what was accepted waits at the broker, and is stored once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import pytest
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import MANY_TRIES, RETURNED_ONCE, Bench, running
from tests.tools.migrating import upgrade
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.proxy import Proxy, proxy_to
from tests.tools.publisher import publishing
from tests.tools.waiting import until

EVENTS: Final = 60
KILLS: Final = 40
WRITABLE: Final = {"default_transaction_read_only": "off"}


@pytest.mark.line(20)
@pytest.mark.usefixtures("quick_trials")
async def test_a_database_that_crashes_gets_everything_when_it_is_back(
    broker: RabbitMQ, private_database: PrivatePostgreSQL
) -> None:
    url = private_database.url
    async with publishing(broker.url) as publisher, running(url, broker.url) as bench:
        await publisher.publish_many(EVENTS)
        await bench.wait_for(1)
        private_database.stop_immediately()
        await publisher.publish_many(EVENTS)
        await until(bench.is_paused, "the lane is paused")
        await publisher.publish_many(EVENTS)
        await bench.wait_for_tries(MANY_TRIES)

        async def given_back() -> bool:
            return await ready_in(broker.url) >= EVENTS

        await until(given_back, "the worker holds nothing that came meanwhile")
        assert await bench.is_paused()
        await private_database.start()
        await bench.wait_for(3 * EVENTS)
        assert bench.most_attempts <= RETURNED_ONCE
    found = await assert_nothing_lost(publisher.ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (3 * EVENTS, 0)


@pytest.mark.line(20)
@pytest.mark.e2e
async def test_a_database_that_freezes_gets_everything_when_it_goes_on(
    broker: RabbitMQ, private_database: PrivatePostgreSQL
) -> None:
    url = private_database.url
    async with publishing(broker.url) as publisher, running(url, broker.url) as bench:
        await publisher.publish_many(10)
        await bench.wait_for(10)
        private_database.pause()
        await publisher.publish_many(EVENTS)
        await until(bench.is_paused, "the lane is paused", seconds=60)
        private_database.resume()
        await bench.wait_for(10 + EVENTS)
    found = await assert_nothing_lost(publisher.ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (10 + EVENTS, 0)


async def is_told(bench: Bench, *, stored: int) -> bool:
    """A row may be seen before the answer to its commit has come through the proxy."""
    return bench.value("faultwire_events_stored_total") == stored


async def has_fallen(proxy: Proxy) -> bool:
    return proxy.to_server.cut_at is None


@pytest.mark.line(21)
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_connection_that_breaks_in_the_commit_stores_the_batch_once(
    broker: RabbitMQ, database: PostgreSQL, *, arrives: bool
) -> None:
    async with proxy_to(database.port) as proxy, publishing(broker.url) as publisher:
        async with running(database.url_through(proxy.port), broker.url) as bench:
            # The day's partition and the fingerprint have commits of their own.
            await publisher.publish_many(1)
            await bench.wait_for(1)
            await until(lambda: is_told(bench, stored=1), "the worker knows of its commit")
            bench.reader = type(bench.reader)(database.url)
            proxy.cut_at(b"COMMIT", arrives=arrives)
            await publisher.publish_many(1)
            # The others come after it: a reset parts every connection, and would cut their answers too.
            await until(lambda: has_fallen(proxy), "the cut falls")
            if arrives:
                await bench.wait_for(2)
                proxy.heal()
            await publisher.publish_many(20)
            await bench.wait_for(22)
        assert bench.value("faultwire_events_duplicate_total") == (1 if arrives else 0)
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (22, 0)


@pytest.mark.line(23)
@pytest.mark.usefixtures("quick_trials")
async def test_sessions_that_are_read_only_are_opened_anew(broker: RabbitMQ, database: PostgreSQL) -> None:
    # A session keeps what its database said when it began, as one to a primary that was demoted
    # and promoted again does: only a new one can write.
    await alter(database, "SET default_transaction_read_only = on")
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        await publisher.publish_many(EVENTS)
        await until(bench.is_paused, "the lane is paused")
        await bench.wait_for_tries(MANY_TRIES)
        await bench.store.ping()
        assert bench.met("SQLSTATE 25006")
        assert (await bench.reader.stored(), await bench.dead_letters()) == (0, 0)
        await alter(database, "RESET default_transaction_read_only")
        await bench.wait_for(EVENTS)
        assert bench.most_attempts <= RETURNED_ONCE
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (EVENTS, 0)


async def alter(database: PostgreSQL, change: str) -> None:
    connection = await asyncpg.connect(database.url, server_settings=WRITABLE)
    await connection.execute(f"ALTER DATABASE {database.database} {change}")
    await connection.close()


@pytest.mark.line(26)
async def test_a_role_that_is_out_of_connections_is_waited_for(
    broker: RabbitMQ, postgresql: PostgreSQL
) -> None:
    role = f"few_{postgresql.database}"
    postgresql.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 1;"
        f"ALTER DATABASE {postgresql.database} OWNER TO {role}"
    )
    url = postgresql.url.replace("faultwire:faultwire@", f"{role}:few@")
    try:
        await upgrade_as(postgresql, url)
        async with publishing(broker.url) as publisher, running(url, broker.url) as bench:
            bench.reader = type(bench.reader)(postgresql.url)
            async with one_connection(url):
                await publisher.publish_many(EVENTS)
                await until(bench.is_paused, "the lane is paused")
            assert bench.met("SQLSTATE 53300")
            await bench.wait_for(EVENTS)
        found = await assert_nothing_lost(
            publisher.ledger, database_url=postgresql.url, broker_url=broker.url
        )
        assert (found.stored, found.dead) == (EVENTS, 0)
    finally:
        postgresql.execute(f"REASSIGN OWNED BY {role} TO faultwire; DROP OWNED BY {role}; DROP ROLE {role}")


async def upgrade_as(database: PostgreSQL, url: str) -> None:
    other = PostgreSQL(database._server, database.database)
    other.url = url
    await upgrade(other.url)


@asynccontextmanager
async def one_connection(url: str) -> AsyncIterator[None]:
    """Hold the only connection that the role may have."""
    connection = await asyncpg.connect(url)
    try:
        yield
    finally:
        await connection.close()


@pytest.mark.line(26)
@pytest.mark.e2e
async def test_connections_that_are_killed_again_and_again_lose_nothing(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        killing = asyncio.create_task(kill_backends(database))
        while not killing.done():
            await publisher.publish_many(20)
        await killing
        await bench.wait_for(len(publisher.ledger), seconds=90)
    found = await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (len(publisher.ledger), 0)


async def kill_backends(database: PostgreSQL) -> None:
    connection = await asyncpg.connect(database.url)
    killed = 0
    while killed < KILLS:
        rows = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'faultwire%'"
        )
        killed += len(rows)
        await asyncio.sleep(0.1)  # the rate of the kills
    await connection.close()
