"""Schema versions, of a database and of this release, without the use of Alembic.

Alembic costs a process 11 MB, and a worker whose database is up to date does not need it.
"""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Final, TypeVar

from msgspec import Struct
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
OLDEST: Final = "0024"
"""The schema of the oldest release that may run on this release's schema.

It stays while migrations only add what an older release need not know, and is raised to the schema of the
release before by one that takes something away.
"""
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
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {_table(connection)}"))  # noqa: S608 - our own names
    return version


class SchemaStanding(Struct, frozen=True):
    """A database's schema beside this release's."""

    current: str | None
    """None if there is no schema yet."""
    oldest: str | None
    """The schema of the oldest release that may run there; None: only the one that made it."""
    needed: str
    """This release's."""

    @property
    def is_newer(self) -> bool:
        """True if a later release has upgraded the database."""
        return self.current is not None and self.current > self.needed

    @property
    def fits(self) -> bool:
        """True if this release may run on it."""
        is_kept = self.oldest is not None and self.oldest <= self.needed
        return self.current == self.needed or (self.is_newer and is_kept)


def standing_of(connection: Connection) -> SchemaStanding:
    """Return the schema of a database beside this release's."""
    current = current_of(connection)
    return SchemaStanding(current, None if current is None else _oldest_of(connection), head())


def _oldest_of(connection: Connection) -> str | None:
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    columns = {column["name"] for column in inspect(connection).get_columns(TABLE, schema)}
    if "oldest" not in columns:
        return None
    oldest: str | None = connection.scalar(text(f"SELECT oldest FROM {_table(connection)}"))  # noqa: S608 - our own names
    return oldest


def state_oldest(connection: Connection) -> None:
    """Write down which releases may run on this release's schema; nothing where it says so already."""
    if _oldest_of(connection) != OLDEST:
        connection.execute(text(oldest_statement(connection)))


def oldest_statement(connection: Connection) -> str:
    """Return the statement that writes it down."""
    return f"UPDATE {_table(connection)} SET oldest = '{OLDEST}'"  # noqa: S608 - our own names


def _table(connection: Connection) -> str:
    return TABLE if connection.dialect.name == "sqlite" else f"{SCHEMA}.{TABLE}"


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
    return (
        f"the database's schema {current} is newer than this release's {head()}, which may not run on it; "
        f"{_NEWER}"
    )


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


async def standing(database_url: str) -> SchemaStanding:
    """Return the schema of the database beside this release's.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
        MigrationError: the database cannot hold every character.
    """
    return await on_connection(database_url, checked_standing)


def checked_standing(connection: Connection) -> SchemaStanding:
    """Return the schema of a database, which can hold every character, beside this release's.

    Raises:
        MigrationError: the database cannot hold every character.
    """
    check_encoding(connection)
    return standing_of(connection)


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
