"""Upgrades of a database's schema, by Alembic.

Nobody may have to wait behind an upgrade: what it locks it asks for during two seconds, in which all who
come after it queue, then lets everybody pass, and tries again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from typing import Final, TextIO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from faultwire_consumer.store.contract.failure import sqlstate_of
from faultwire_consumer.store.contract.store import MigrationError, StoreBusyError
from faultwire_consumer.store.migrations.schema_version import (
    SchemaStanding,
    checked_standing,
    newer_than_release,
    on_connection,
    standing,
    state_oldest,
)
from faultwire_consumer.store.migrations.search_index import ensure_search_index
from faultwire_consumer.store.postgresql.owner import owner_statements
from faultwire_consumer.store.schema.events import SCHEMA

LOCK_SECONDS: Final = 2
WAIT_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 5.0

# Any number that nobody else uses will do: one upgrade at a time.
_UPGRADE_LOCK: Final = 7_140_923_365
# Lock not available; deadlock, with a worker that holds one table of a step and asks for another.
_IN_USE: Final = ("55P03", "40P01")
_QUERY_CHARACTERS: Final = 80
# The oldest of those who hold a table of ours: who came later may merely wait behind it.
_HOLDER: Final = text(f"""
SELECT a.pid, a.application_name, a.query, extract(epoch FROM clock_timestamp() - a.xact_start) AS seconds
FROM pg_locks l
JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = '{SCHEMA}'
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
ORDER BY a.xact_start LIMIT 1
""")  # noqa: S608 - our own name


class TableInUseError(Exception):
    """Somebody holds a table for longer than others may wait behind the upgrade, or waits for it in turn."""


class Patience(Struct, frozen=True):
    """The time for which an upgrade lets others go first, and who is told of each."""

    seconds: float = WAIT_SECONDS
    tell: Callable[[str], None] = lambda _: None


def alembic_config(connection: Connection | None = None, output: TextIO | None = None) -> Config:
    """Return Alembic's configuration for a connection; it writes to the output where it runs nothing."""
    config = Config(output_buffer=output)
    with as_file(files("faultwire_consumer.store") / "migrations") as scripts:
        config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade_connection(connection: Connection) -> None:
    """Run the missing migrations, on a connection whose transactions Alembic may manage."""
    for statement in preparations(connection):
        connection.execute(text(statement))
    command.upgrade(alembic_config(connection), "head")
    state_oldest(connection)
    ensure_search_index(connection)


def preparations(connection: Connection) -> Sequence[str]:
    """Return what comes before the migrations: to be the only upgrade, to be brief, and to be the owner."""
    if connection.dialect.name == "sqlite":
        return []
    has_schema = inspect(connection).has_schema(SCHEMA)
    enter = owner_statements(connection) if has_schema else [f"CREATE SCHEMA {SCHEMA}"]
    return [
        f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})",
        f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
        *enter,
    ]


async def upgrade(database_url: str, patience: Patience | None = None) -> None:
    """Bring the schema up to date; one upgrade at a time, the others wait.

    Raises:
        StoreBusyError: somebody held a table for all the time that patience has.
        StoreUnavailableError: the database does not answer, or refuses the login.
        MigrationError: the database is newer than this release, or refuses the change.
    """
    patience = patience or Patience()
    ends_at = time.monotonic() + patience.seconds
    while True:
        try:
            return await on_connection(database_url, upgrade_checked)
        except TableInUseError:
            holder = await on_connection(database_url, _name_holder)
        if time.monotonic() + PAUSE_SECONDS > ends_at:
            raise StoreBusyError(f"the upgrade waited for {patience.seconds:g} s in vain: {holder}")
        patience.tell(f"{holder}; the upgrade waits, and lets others pass")
        await asyncio.sleep(PAUSE_SECONDS)


def _name_holder(connection: Connection) -> str:
    holder = connection.execute(_HOLDER).first()
    if holder is None:
        return "somebody held a table a moment ago"
    query = " ".join(holder.query.split())[:_QUERY_CHARACTERS]
    name = holder.application_name or "without a name"
    return f"process {holder.pid} ({name}) has held a table for {holder.seconds:.0f} s: {query}"


async def bring_up_to_date(database_url: str, patience: Patience | None = None) -> tuple[str | None, str]:
    """Upgrade, and say from which version (None: there was no schema) to which.

    A schema that is current gets what the server did not allow before: the index of the search.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
        MigrationError: the database is newer than this release, or refuses the change.
    """
    before = await standing(database_url)
    await upgrade(database_url, patience)
    return before.current, (before.current or "") if before.is_newer else before.needed


def check_upgradable(connection: Connection) -> SchemaStanding:
    """Return the schema of a database that this release may upgrade, or go on with where it is newer.

    Raises:
        MigrationError: the database is too new for this release, or cannot hold every character.
    """
    found = checked_standing(connection)
    if found.is_newer and found.fits:
        return found
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found.current is not None and found.current not in known:
        raise MigrationError(newer_than_release(found.current))
    return found


def upgrade_checked(connection: Connection) -> None:
    """Run the missing migrations; none where a newer release has, and this one may go on.

    Raises:
        MigrationError: the database is too new for this release, or cannot hold every character.
        TableInUseError: somebody holds a table.
    """
    if check_upgradable(connection).is_newer:
        return
    try:
        upgrade_connection(connection)
    except DBAPIError as error:
        if sqlstate_of(error) in _IN_USE:
            raise TableInUseError from None
        raise
