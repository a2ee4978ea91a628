"""An upgrade of PostgreSQL beside those who use it: nobody queues behind it, and it says who holds it up."""

import asyncio

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, text
from tests.servers.postgresql import PostgreSQL
from tests.tools.waiting import until

from faultwire_consumer.store.contract.store import MigrationError, StoreBusyError
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.migrations.schema_version import head, on_connection
from faultwire_consumer.store.status import read_status

pytestmark = pytest.mark.may_block("looks for migrations")

OLDER = "0007"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.2)


def _first_version(connection: Connection) -> None:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS faultwire"))
    command.upgrade(migrate.alembic_config(connection), OLDER)


async def test_an_upgrade_lets_others_pass_until_the_reader_has_gone(postgresql: PostgreSQL) -> None:
    await on_connection(postgresql.url, _first_version)
    reader = await asyncpg.connect(postgresql.url, server_settings={"application_name": "pg_dump"})
    writer = await asyncpg.connect(postgresql.url)
    told: list[str] = []
    heard = asyncio.Event()

    def tell(line: str) -> None:
        told.append(line)
        heard.set()

    try:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("SELECT id FROM faultwire.incidents /* for long */")
        upgrading = asyncio.create_task(migrate.upgrade(postgresql.url, migrate.Patience(600, tell)))
        await asyncio.wait_for(heard.wait(), 60)
        await writer.execute("UPDATE faultwire.incidents SET count = count", timeout=60)
        assert not upgrading.done()
        assert f"process {reader.get_server_pid()} (pg_dump)" in told[0]
        assert "SELECT id FROM faultwire.incidents /* for long */" in told[0]
        await reading.rollback()
        await asyncio.wait_for(upgrading, 60)
    finally:
        await reader.close()
        await writer.close()
    assert (await read_status(postgresql.url)).schema.current == head()


async def test_an_upgrade_gives_up_after_its_time_and_names_who_was_in_the_way(
    postgresql: PostgreSQL,
) -> None:
    await on_connection(postgresql.url, _first_version)
    reader = await asyncpg.connect(postgresql.url, server_settings={"application_name": "pg_dump"})
    try:
        async with reader.transaction():
            await reader.fetch("SELECT id FROM faultwire.incidents")
            with pytest.raises(StoreBusyError, match=r"waited for 0 s in vain: process \d+ \(pg_dump\)"):
                await migrate.upgrade(postgresql.url, migrate.Patience(0))
    finally:
        await reader.close()


async def test_an_upgrade_that_is_ended_for_a_deadlock_with_a_worker_is_tried_again(
    current_postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker writes an event and then its incident; a step may need both tables the other way round."""
    worker = await asyncpg.connect(current_postgresql.url, server_settings={"deadlock_timeout": "1h"})
    transaction = worker.transaction()
    await transaction.start()
    await worker.execute("LOCK TABLE faultwire.events IN ROW EXCLUSIVE MODE")
    tries: list[asyncio.Task[str]] = []

    def step(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE faultwire.incidents"))
        if not tries:
            asks = worker.execute("LOCK TABLE faultwire.incidents IN ROW EXCLUSIVE MODE")
            tries.append(asyncio.get_running_loop().create_task(asks))
            table = "relation = 'faultwire.incidents'::regclass"
            waiting = text(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {table}")
            while connection.scalar(waiting) == 0:
                pass
        connection.execute(text("LOCK TABLE faultwire.events"))

    monkeypatch.setattr(migrate, "upgrade_connection", step)
    told: list[str] = []
    upgrading = asyncio.create_task(
        migrate.upgrade(current_postgresql.url, migrate.Patience(600, told.append))
    )
    try:
        await until(lambda: all_done(tries), "the worker has its incident")
        await transaction.rollback()
        await asyncio.wait_for(upgrading, 60)
    finally:
        await worker.close()
    assert told


async def all_done(tasks: list[asyncio.Task[str]]) -> bool:
    return bool(tasks) and all(one.done() for one in tasks)


async def test_a_database_that_cannot_hold_every_character_is_refused(postgresql: PostgreSQL) -> None:
    name = f"{postgresql.database}_latin1"
    postgresql.execute(f"CREATE DATABASE {name} ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
    url = postgresql.url.replace(postgresql.database, name)
    for ask in (migrate.upgrade, read_status):
        with pytest.raises(MigrationError, match=r"encoding is LATIN1.*--encoding=UTF8"):
            await ask(url)


async def test_a_schema_that_is_newer_than_the_release_is_called_so(postgresql: PostgreSQL) -> None:
    await migrate.upgrade(postgresql.url)
    postgresql.execute("UPDATE faultwire.schema_version SET version_num = '9999', oldest = '9999'")
    assert (await read_status(postgresql.url)).schema_mend == "install a newer faultwire"
    with pytest.raises(
        MigrationError, match=r"9999 is newer than this release's .*; install a newer faultwire"
    ):
        await migrate.upgrade(postgresql.url)
