"""A PostgreSQL primary dies or is demoted, its standby takes over: the worker goes on, all by itself."""

import asyncio

import pytest
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.replication import ReplicatedPostgreSQL
from tests.tools.bench import RETURNED_ONCE, running
from tests.tools.migrating import upgrade
from tests.tools.oracle import assert_nothing_lost
from tests.tools.publisher import publishing
from tests.tools.waiting import until

from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.engine import open_store

EVENTS = 200


@pytest.fixture
async def pair(replicated_postgresql: ReplicatedPostgreSQL) -> ReplicatedPostgreSQL:
    """A primary and its standby, up to date."""
    await upgrade(replicated_postgresql.url)
    return replicated_postgresql


async def test_a_promoted_standby_gets_what_comes_and_has_all_that_the_killed_primary_took(
    broker: RabbitMQ, pair: ReplicatedPostgreSQL
) -> None:
    pair.make_synchronous()
    async with publishing(broker.url) as publisher, running(pair.url, broker.url) as bench:
        flood = asyncio.create_task(publisher.publish_many(EVENTS))
        await bench.wait_for(20)
        await asyncio.to_thread(pair.kill_primary)
        await flood
        await until(bench.is_paused, "the lane waits for a database")
        await pair.promote()
        bench.reader = type(bench.reader)(pair.standby.url)
        await publisher.publish_many(EVENTS)
        await bench.wait_for(2 * EVENTS)
        assert bench.most_attempts <= RETURNED_ONCE
    found = await assert_nothing_lost(publisher.ledger, database_url=pair.standby.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (2 * EVENTS, 0)


async def test_a_primary_that_is_demoted_with_its_connections_open_is_left_for_the_new_one(
    broker: RabbitMQ, pair: ReplicatedPostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, running(pair.url, broker.url) as bench:
        await publisher.publish_many(EVENTS)
        await bench.wait_for(EVENTS)
        pair.primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        pair.primary.execute("SELECT pg_reload_conf()")
        pair.wait_for_replay()
        await pair.promote()
        bench.reader = type(bench.reader)(pair.standby.url)
        await publisher.publish_many(EVENTS)
        await bench.wait_for(2 * EVENTS)
    assert pair.primary.execute("SELECT count(*) FROM faultwire.events") == str(EVENTS)
    found = await assert_nothing_lost(publisher.ledger, database_url=pair.standby.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (2 * EVENTS, 0)


async def test_an_old_primary_that_comes_back_as_a_standby_is_not_written_to(
    pair: ReplicatedPostgreSQL,
) -> None:
    await asyncio.to_thread(pair.kill_primary)
    with pytest.raises(
        StoreUnavailableError, match=r"no host will do: .*Connect call failed.*target_session_attrs"
    ):
        await open_store(pair.url)
    await pair.promote()
    await pair.start_primary_as_standby()
    store = await open_store(pair.url)  # the old one is the first in the URL
    try:
        async with store.write() as tx:
            assert tx.dialect == "postgresql"
        assert pair.standby.execute(CONNECTED) != "0"
        assert pair.primary.execute(CONNECTED) == "0"
    finally:
        await store.close()


CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'faultwire%'"
