"""The fixtures keep their word, so that a test of faultwire can blame faultwire."""

import asyncio

import asyncpg
import pytest
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL
from tests.servers.replication import ReplicatedPostgreSQL


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_finds_an_empty_database(postgresql: PostgreSQL, turn: int) -> None:
    assert postgresql.execute("SELECT to_regclass('numbers') IS NULL") == "t"
    postgresql.execute("CREATE TABLE numbers (number int)")


async def test_the_url_opens_the_database(postgresql: PostgreSQL) -> None:
    connection = await asyncpg.connect(postgresql.url)
    assert await connection.fetchval("SELECT current_database()") == postgresql.database
    await connection.close()


async def test_a_crashed_server_comes_back_with_what_it_committed(
    private_postgresql: PrivatePostgreSQL,
) -> None:
    private_postgresql.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    private_postgresql.stop_immediately()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(private_postgresql.url)
    await private_postgresql.start()
    assert private_postgresql.execute("SELECT number FROM numbers") == "1"


async def test_a_paused_server_keeps_its_connections_and_answers_later(
    private_postgresql: PrivatePostgreSQL,
) -> None:
    connection = await asyncpg.connect(private_postgresql.url)
    private_postgresql.pause()
    answer = asyncio.ensure_future(connection.fetchval("SELECT 1"))
    done, _ = await asyncio.wait({answer}, timeout=0.3)
    assert not done
    private_postgresql.resume()
    assert await answer == 1
    await connection.close()


async def test_a_standby_follows_until_its_replay_is_paused_and_can_take_over(
    replicated_postgresql: ReplicatedPostgreSQL,
) -> None:
    pair = replicated_postgresql
    pair.make_synchronous()
    pair.primary.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    pair.wait_for_replay()
    pair.pause_replay()
    pair.primary.execute("INSERT INTO numbers VALUES (2)")
    assert pair.standby.execute("SELECT sum(number) FROM numbers") == "1"
    pair.resume_replay()
    pair.kill_primary()
    await pair.promote()
    pair.standby.execute("INSERT INTO numbers VALUES (4)")
    assert pair.standby.execute("SELECT sum(number) FROM numbers") == "7"
    await pair.start_primary_as_standby()
    assert pair.primary.execute("SELECT pg_is_in_recovery()") == "t"
