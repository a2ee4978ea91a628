"""Schema versions, of a database and of this release, without the use of Alembic.

Alembic costs a process 11 MB, and a worker whose database is up to date does not need it.
"""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from faultwire_consumer.store.contract.failure import first_line, unavailable
from faultwire_consumer.store.contract.store import MigrationError, StoreRefusedError, StoreUnavailableError
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import parse_database_url, show_url, sqlite_path
from faultwire_consumer.store.schema.events import SCHEMA
from faultwire_consumer.store.sqlite.file_lock import make_private_file
from faultwire_consumer.store.sqlite.pragma import prepare_connection

T = TypeVar("T")

TABLE: Final = "schema_version"
REVISION_DIGITS: Final = 4
_COMMAND: Final = "faultwire command"
"""The name of such a session at the server; not a worker's."""
_UPGRADE: Final = "run `faultwire db upgrade`"
_NEWER: Final = "install a newer faultwire"
# SQL_ASCII keeps every byte as it came.
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")


def head() -> str:
    """Return the schema version that this release needs: the highest number of a migration's file."""
    versions = files("faultwire_consumer.store") / "migrations" / "versions"
    numbers = (entry.name[:REVISION_DIGITS] for entry in versions.iterdir() if entry.name.endswith(".py"))
    return max(number for number in numbers if number.isdigit())


def current_of(connection: Connection) -> str | None:
    """Return the schema version of a database, or None if it has no schema yet."""
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    if not inspect(connection).has_table(TABLE, schema=schema):
        return None
    name = TABLE if schema is None else f"{schema}.{TABLE}"
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {name}"))  # noqa: S608 - our own names
    return version


def check_encoding(connection: Connection) -> None:
    """See that the database can hold any character.

    Raises:
        MigrationError: it was made for some of them.
    """
    if connection.dialect.name == "sqlite":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding not in _ENCODINGS:
        raise MigrationError(
            f"the database's encoding is {encoding}, and errors hold any character: make it anew by "
            "createdb --encoding=UTF8 --template=template0"
        )


def mend_of(current: str | None, needed: str) -> str:
    """Return the message for a database whose schema is not this release's; it says what to do."""
    if current is None:
        return f"the database has no faultwire schema yet; {_UPGRADE}"
    if current > needed:
        return newer_than_release(current)
    return f"the database's schema is {current}, this release needs {needed}; {_UPGRADE}"


def cure_of(current: str | None, needed: str) -> str:
    """Return what to do about a database whose schema is not this release's."""
    return _NEWER if current is not None and current > needed else _UPGRADE


def newer_than_release(current: str) -> str:
    """Return the message for a database that is newer than this release."""
    return f"the database's schema {current} is newer than this release's {head()}; {_NEWER}"


async def status(database_url: str) -> tuple[str | None, str]:
    """Return the schema version of the database (None: no schema yet) and the one that this release needs.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
        MigrationError: the database cannot hold every character.
    """

    def read(connection: Connection) -> str | None:
        check_encoding(connection)
        return current_of(connection)

    current = await on_connection(database_url, read)
    return current, await asyncio.to_thread(head)


async def on_connection(database_url: str, work: Callable[[Connection], T]) -> T:
    """Run `work` with a connection of its own in one transaction, and return its result.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
    """
    url = parse_database_url(database_url)
    try:
        if url.drivername == "sqlite":
            return await asyncio.to_thread(_on_sqlite, url, work)
        # With the extra `consumer` alone there is no driver for PostgreSQL, and none is needed.
        from faultwire_consumer.store.postgresql.session import SessionOpener  # noqa: PLC0415 - see above

        arguments = {
            "async_creator_fn": SessionOpener(),
            "timeout": Timeouts().connect,
            "server_settings": {"application_name": _COMMAND},
        }
        engine = create_async_engine(url, connect_args=arguments)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()
    except StoreRefusedError as error:
        raise StoreRefusedError(f"{show_url(url)}: {error}") from None
    except (OSError, DBAPIError, TimeoutError) as error:
        raise unavailable(error, url) from None
    except SQLAlchemyError as error:
        raise StoreUnavailableError(first_line(error)) from None


def _on_sqlite(url: URL, work: Callable[[Connection], T]) -> T:
    make_private_file(sqlite_path(url))
    engine = create_engine(url)
    prepare_connection(engine)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()
