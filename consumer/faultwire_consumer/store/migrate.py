"""Bring a database's schema up to date, or say how far it is."""

import asyncio
from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from faultwire_consumer.store.contract import MigrationError, StoreUnavailableError
from faultwire_consumer.store.failure import first_line, unavailable
from faultwire_consumer.store.schema import SCHEMA
from faultwire_consumer.store.search_index import ensure_search_index, is_search_indexed
from faultwire_consumer.store.sqlite_pragma import prepare_connection
from faultwire_consumer.store.url import parse_database_url

# Any number will do, as long as nobody else takes it: one upgrade at a time.
_UPGRADE_LOCK = 7_140_923_365


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    with as_file(files("faultwire_consumer.store") / "migrations") as scripts:
        config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The schema version that this release needs."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def current_of(connection: Connection) -> str | None:
    """The schema version of a database; None where there is none yet."""
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    options = {"version_table": "schema_version", "version_table_schema": schema}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def upgrade_connection(connection: Connection) -> None:
    """Run what is missing, on a connection whose transactions Alembic may manage."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    command.upgrade(_alembic(connection), "head")
    ensure_search_index(connection)


async def upgrade(database_url: str) -> None:
    """Bring the schema up to date; one upgrade at a time, the others wait.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
        MigrationError: the database is newer than this release, or refuses the change.
    """
    await _on_connection(database_url, upgrade_checked)


def upgrade_checked(connection: Connection) -> None:
    """Run what is missing.

    Raises:
        MigrationError: the database is newer than this release.
    """
    current = current_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationError(newer_than_release(current))
    upgrade_connection(connection)


def newer_than_release(current: str) -> str:
    """What to say of a database from the future."""
    return f"the database's schema {current} is newer than this release's {head()}; install a newer faultwire"


async def status(database_url: str) -> tuple[str | None, str]:
    """The schema version of the database (None: none yet) and the one that this release needs.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
    """
    current: str | None = await _on_connection(database_url, current_of)
    return current, await asyncio.to_thread(head)


async def has_search_index(database_url: str) -> bool:
    """Whether free text is looked up in an index of the database, whose schema is up to date.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
    """
    indexed: bool = await _on_connection(database_url, is_search_indexed)
    return indexed


async def _on_connection(database_url: str, work: Any) -> Any:
    url = parse_database_url(database_url)
    try:
        if url.drivername == "sqlite":
            return await asyncio.to_thread(_on_sqlite, url, work)
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()
    except (OSError, DBAPIError, TimeoutError) as error:
        raise unavailable(error, url) from None
    except SQLAlchemyError as error:
        raise StoreUnavailableError(first_line(error)) from None


def _on_sqlite(url: Any, work: Any) -> Any:
    engine = create_engine(url)
    prepare_connection(engine)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()
