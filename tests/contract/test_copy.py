"""A database copied into another one holds the same, whichever of the two kinds they are."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.copying import ROWS, contents_of, fill_every_table
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.store.contract.store import MigrationError
from faultwire_consumer.store.copy.copy import copy_database
from faultwire_consumer.store.copy.plan import CopyDiffersError, CopyRefusedError, columns_of, copied_tables
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.search import own_text_contains
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.schema.events import SCHEMA, events, history, incidents

pytestmark = pytest.mark.may_block("migrations and locks are files")

KINDS: Final = ("sqlite", "postgresql")
Database = Callable[[str, str], str]


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An address of a kind: a file that is not there yet, or a database of PostgreSQL's."""

    fixtures = iter(("current_postgresql", "postgresql"))  # one is up to date, and the other empty

    def make(kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server: PostgreSQL = request.getfixturevalue(next(fixtures))
        return server.url

    return make


async def filled(url: str) -> str:
    await migrate.upgrade(url)
    store = await open_store(url)
    await fill_every_table(store)
    await store.close()
    return url


async def contents(url: str) -> object:
    store = await open_store(url)
    try:
        return await contents_of(store)
    finally:
        await store.close()


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
async def test_every_table_and_column_arrives_as_it_was(
    source_kind: str, target_kind: str, database: Database
) -> None:
    source, target = await filled(database(source_kind, "source")), database(target_kind, "target")
    copied = await copy_database(source, target)
    assert copied.copied_rows == ROWS * len(copied_tables())
    told = msgspec.to_builtins(copied)
    assert {one["table"] for one in told["tables"]} == {table.name for table in copied_tables()}
    assert [one["table"] for one in told["tables"] if "counted" in one] == sorted(
        table.name for table in copied_tables() if "count" in table.columns
    )
    assert await contents(target) == await contents(source)
    store = await open_store(target)
    found = await store.read(
        select(incidents.c.id)
        .where(own_text_contains("number 3 ä", database=store.name))
        .order_by(incidents.c.id)
    )
    await store.close()
    assert [row.id for row in found] == [1003]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_table_of_the_schema_is_forgotten(kind: str, database: Database) -> None:
    url = database(kind, "source")
    await migrate.upgrade(url)
    if kind == "sqlite":
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        connection.close()
        # An index as SQLite keeps it: tables, which triggers fill.
        names = {
            name
            for (name,) in found
            if not name.startswith(("sqlite_", "incidents_search", "event_texts_search"))
        }
    else:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.connect() as link:
            query = (
                "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace)"
                " AND relkind IN ('r', 'p') AND NOT relispartition"
            )
            names = set((await link.execute(text(query), {"schema": SCHEMA})).scalars())
        await engine.dispose()
    assert names - {"schema_version"} == {table.name for table in copied_tables()}


@pytest.mark.parametrize("kind", KINDS)
async def test_ids_go_on_behind_those_that_were_copied(kind: str, database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database(kind, "target")
    await copy_database(source, target)
    store = await open_store(target)
    try:
        async with store.write() as tx:
            (row,) = await tx.execute(select(incidents).where(incidents.c.id == 1001))
            again = {
                column.name: row._mapping[column] for column in columns_of(incidents) if column.name != "id"
            }
            (new,) = await tx.execute(insert(incidents).values(again).returning(incidents.c.id))
        assert new.id == 1000 + ROWS + 1
    finally:
        await store.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_copy_that_was_cut_short_goes_on_where_it_was(
    kind: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.store.copy.sqlite.CHUNK_ROWS", 2)
    monkeypatch.setattr("faultwire_consumer.store.copy.sqlite.FETCH_ROWS", 2)
    source, target = await filled(database("sqlite", "source")), database(kind, "target")
    left = 5

    def cut(table: str, rows: int, copied: int) -> None:
        nonlocal left
        left -= copied > 0
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await copy_database(source, target, report=cut)
    first = []
    copied = await copy_database(source, target, report=lambda *step: first.append(step))
    assert 0 < copied.copied_rows < ROWS * len(copied_tables())
    assert first[0][2] > 0
    assert await contents(target) == await contents(source)


async def test_a_complete_copy_is_only_checked(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database("sqlite", "target")
    await copy_database(source, target)
    assert (await copy_database(source, target)).copied_rows == 0


async def test_a_file_that_a_worker_has_is_left_alone(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), await filled(database("sqlite", "target"))
    worker = await open_store(source)
    try:
        with pytest.raises(CopyRefusedError, match="belongs to a worker that is running"):
            await copy_database(source, target)
        with pytest.raises(CopyRefusedError, match="belongs to a worker that is running"):
            await copy_database(target, source)
    finally:
        await worker.close()


async def test_a_server_database_that_a_worker_uses_is_left_alone(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database("postgresql", "target")
    await migrate.upgrade(target)
    worker = await open_store(target)
    try:
        await worker.ping()
        with pytest.raises(CopyRefusedError, match="a worker uses postgresql://"):
            await copy_database(source, target)
    finally:
        await worker.close()


async def test_a_target_that_holds_something_else_is_left_as_it_is(database: Database) -> None:
    source, target = (
        await filled(database("sqlite", "source")),
        await filled(database("postgresql", "target")),
    )
    before = await contents(target)
    with pytest.raises(CopyRefusedError, match=r"is not empty \(.*and \d+ more\); copy into a new database"):
        await copy_database(source, target)
    assert await contents(target) == before


async def test_a_source_that_was_written_to_since_the_copy_began_is_told(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database("sqlite", "target")
    await copy_database(source, target)
    store = await open_store(source)
    async with store.write() as tx:
        await tx.execute(events.update().values(count=events.c.count + 1))
    await store.close()
    with pytest.raises(CopyRefusedError, match=r"was written to since that copy began \(events\)"):
        await copy_database(source, target)


async def test_a_target_that_was_written_to_meanwhile_is_told(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database("sqlite", "target")
    await copy_database(source, target)
    store = await open_store(target)
    async with store.write() as tx:
        await tx.execute(history.delete().where(history.c.id > 1003))
    await store.close()
    with pytest.raises(CopyDiffersError, match="incident_history 3 for 7"):
        await copy_database(source, target)


async def test_a_database_is_not_copied_into_itself(database: Database) -> None:
    source = await filled(database("sqlite", "source"))
    with pytest.raises(CopyRefusedError, match="the same file"):
        await copy_database(source, source)
    server = await filled(database("postgresql", "source"))
    with pytest.raises(CopyRefusedError, match="are the same database"):
        await copy_database(server, server.replace("127.0.0.1", "localhost"))


async def test_an_older_schema_is_told_with_the_command_that_mends_it(database: Database) -> None:
    source, target = await filled(database("sqlite", "source")), database("sqlite", "target")
    with sqlite3.connect(source.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE schema_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(MigrationError, match="run `faultwire db upgrade --database-url sqlite:///"):
        await copy_database(source, target)


async def test_what_is_no_database_of_ours_is_told(database: Database, tmp_path: Path) -> None:
    with pytest.raises(CopyRefusedError, match="there is no database"):
        await copy_database(f"sqlite:///{tmp_path / 'nowhere.db'}", database("sqlite", "target"))
    (tmp_path / "other.db").touch()
    with pytest.raises(MigrationError, match="is not a faultwire database"):
        await copy_database(f"sqlite:///{tmp_path / 'other.db'}", database("sqlite", "target"))
