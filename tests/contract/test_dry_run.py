"""An upgrade's dry run: the SQL of the upgrade, what it locks, and nothing else happens."""

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, text
from tests.servers.postgresql import PostgreSQL
from tests.tools.migrating import upgrade

from faultwire_consumer.cli.application import run
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.migrations.dry_run import plan_upgrade
from faultwire_consumer.store.migrations.locks import INDEXED, LockMode, locks_of, table_made_by
from faultwire_consumer.store.migrations.schema_version import head, on_connection, status

pytestmark = pytest.mark.may_block("looks for migrations")

OLDER = "0004"
SCHEMA = """
SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'faultwire'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'faultwire'
UNION ALL SELECT proname || prosrc FROM pg_proc WHERE proname LIKE '%\\_day'
UNION ALL SELECT version_num || oldest FROM faultwire.schema_version ORDER BY 1
"""
HELD = """
SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'faultwire'::regnamespace AND l.granted
"""


def _first_version(connection: Connection) -> None:
    connection.execute(text("CREATE SCHEMA faultwire"))
    command.upgrade(migrate.alembic_config(connection), OLDER)


async def test_what_is_printed_makes_the_schema_that_the_upgrade_makes(postgresql: PostgreSQL) -> None:
    printed = await plan_upgrade(postgresql.url)
    postgresql.execute(f"{printed}")
    by_hand = postgresql.execute(SCHEMA)
    postgresql.execute("DROP SCHEMA faultwire CASCADE")
    await upgrade(postgresql.url)
    assert by_hand == postgresql.execute(SCHEMA)
    assert (await plan_upgrade(postgresql.url)) == f"-- Nothing to do: the schema is {head()}.\n"


async def test_what_is_said_to_be_locked_is_what_postgresql_locks(postgresql: PostgreSQL) -> None:
    await on_connection(postgresql.url, _first_version)
    printed = await plan_upgrade(postgresql.url)
    assert "not known here" not in printed
    statements = _statements(printed)
    new = {made for one in statements if (made := table_made_by(one))}
    connection = await asyncpg.connect(postgresql.url)
    told: dict[str, LockMode] = {}
    try:
        for statement in statements:
            for lock in locks_of(statement, new=new) or ():
                _add(told, await _table_of(connection, lock.target), lock.mode)
            await connection.execute(statement)
            if statement != "COMMIT":
                assert await _held(connection, without=new) == told, statement
    finally:
        await connection.close()


def _statements(printed: str) -> list[str]:
    blocks = (
        "\n".join(line for line in block.splitlines() if not line.startswith("--"))
        for block in re.split(r";\n\n|;\n$", printed)
    )
    return [block.strip() for block in blocks if block.strip()]


async def _table_of(connection: asyncpg.Connection, target: str) -> str:
    """The table's name, also where a statement names an index."""
    if target.startswith(INDEXED):
        query = """
        SELECT 'faultwire.' || relname FROM pg_index JOIN pg_class c ON c.oid = indrelid
        WHERE indexrelid = $1::text::regclass
        """
        return str(await connection.fetchval(query, target.removeprefix(INDEXED)))
    return target


async def _held(connection: asyncpg.Connection, *, without: set[str]) -> Mapping[str, LockMode]:
    known = {f"{mode.title().replace(' ', '')}Lock": mode for mode in LockMode}
    held: dict[str, LockMode] = {}
    for row in await connection.fetch(HELD):
        table = f"faultwire.{row['relname']}"
        if table not in without and row["mode"] in known:
            _add(held, table, known[row["mode"]])
    return held


def _add(found: dict[str, LockMode], table: str, mode: LockMode) -> None:
    """Keep the strongest: a table that is written anew is locked more weakly too."""
    order = list(LockMode)
    found[table] = max(mode, found.get(table, mode), key=order.index)


async def test_a_dry_run_changes_nothing_and_waits_for_nobody(
    postgresql: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    await on_connection(postgresql.url, _first_version)
    reader = await asyncpg.connect(postgresql.url)
    try:
        async with reader.transaction():
            await reader.execute("LOCK TABLE faultwire.incidents IN ACCESS EXCLUSIVE MODE")
            code = await asyncio.to_thread(
                run, ["db", "upgrade", "--dry-run", "--database-url", postgresql.url]
            )
    finally:
        await reader.close()
    out = capsys.readouterr().out
    assert code == 0
    assert f"-- Running upgrade {OLDER} -> 0005: locks " in out
    assert (
        "while all of it is written anew: who reads or writes it waits\nALTER TABLE faultwire.incidents"
        in out
    )
    assert await status(postgresql.url) == (OLDER, head())


def test_a_dry_run_for_a_file_that_is_not_there_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "faultwire.db"
    assert run(["db", "upgrade", "--dry-run", "--database-url", f"sqlite:///{path}"]) == 0
    assert list(tmp_path.iterdir()) == []
    printed = capsys.readouterr().out
    with closing(sqlite3.connect(tmp_path / "by_hand.db", isolation_level=None)) as connection:
        connection.executescript(printed)
        assert connection.execute("SELECT version_num FROM schema_version").fetchone() == (head(),)
