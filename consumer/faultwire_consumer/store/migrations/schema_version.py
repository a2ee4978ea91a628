"""How far a database's schema is, and how far this release needs it: asked without Alembic.

Alembic costs a process 11 MB, and a worker whose database is up to date has no use for it.
"""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from faultwire_consumer.store.contract.failure import first_line, unavailable
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_consumer.store.schema.events import SCHEMA
from faultwire_consumer.store.sqlite.pragma import prepare_connection

T = TypeVar("T")

TABLE: Final = "schema_version"
REVISION_DIGITS: Final = 4


def head() -> str:
    """The schema version that this release needs: a migration's file begins with its number."""
    versions = files("faultwire_consumer.store") / "migrations" / "versions"
    numbers = (entry.name[:REVISION_DIGITS] for entry in versions.iterdir() if entry.name.endswith(".py"))
    return max(number for number in numbers if number.isdigit())


def current_of(connection: Connection) -> str | None:
    """The schema version of a database; None where there is none yet."""
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    if not inspect(connection).has_table(TABLE, schema=schema):
        return None
    name = TABLE if schema is None else f"{schema}.{TABLE}"
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {name}"))  # noqa: S608 - our own names
    return version


def newer_than_release(current: str) -> str:
    """What to say of a database from the future."""
    return f"the database's schema {current} is newer than this release's {head()}; install a newer faultwire"


async def status(database_url: str) -> tuple[str | None, str]:
    """The schema version of the database (None: none yet) and the one that this release needs.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
    """
    current = await on_connection(database_url, current_of)
    return current, await asyncio.to_thread(head)


async def on_connection(database_url: str, work: Callable[[Connection], T]) -> T:
    """What `work` does with a connection of its own, in one transaction.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
    """
    url = parse_database_url(database_url)
    try:
        if url.drivername == "sqlite":
            return await asyncio.to_thread(_on_sqlite, url, work)
        # With the extra `consumer` alone there is no driver for PostgreSQL, and none is needed.
        from faultwire_consumer.store.postgresql.host import HostChooser  # noqa: PLC0415 - see above

        arguments = {"async_creator_fn": HostChooser(), "timeout": Timeouts().connect}
        engine = create_async_engine(url, connect_args=arguments)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()
    except (OSError, DBAPIError, TimeoutError) as error:
        raise unavailable(error, url) from None
    except SQLAlchemyError as error:
        raise StoreUnavailableError(first_line(error)) from None


def _on_sqlite(url: URL, work: Callable[[Connection], T]) -> T:
    engine = create_engine(url)
    prepare_connection(engine)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()
