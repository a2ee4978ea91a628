"""Opens the store that a URL names: the one place that knows both databases, and loads the one that it is.

With the extra `consumer` alone there is no driver for PostgreSQL; and a worker has one database, of which the
other costs it CPU at the start and memory for good.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection

from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import MigrationError, Store
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import DatabaseUrlError, parse_database_url
from faultwire_consumer.store.migrations import schema_version
from faultwire_consumer.store.postgresql.rights import find_missing_rights, lacking
from faultwire_consumer.store.replica.store import ReplicatedStore

if TYPE_CHECKING:
    from faultwire_consumer.store.sqlite.store import SqliteStore


async def open_store(
    database_url: str, *, timeouts: Timeouts | None = None, packing: Packing | None = None
) -> Store:
    """Open a database. A SQLite file's schema is brought up to date here; PostgreSQL's must be up to date.

    Args:
        database_url: the database's address.
        timeouts: bounds on waiting for it, in place of the defaults.
        packing: what its bodies are packed with; without one they are stored as they come.

    Raises:
        DatabaseUrlError: the text does not name a database.
        StoreUnavailableError: it does not answer, or refuses the login.
        MigrationError: its schema is not this release's; the text names the command to run.
        RightsError: the role lacks what a worker needs; the text names the statement to run.
    """
    url = parse_database_url(database_url)
    if url.drivername == "sqlite":
        store = _sqlite(url, timeouts, packing)
        try:
            await store.open(_upgrade_if_needed)
        except BaseException:
            await store.close()
            raise
        return store
    await _check_schema(database_url, find_missing_rights)
    return _postgresql(url, timeouts or Timeouts(), packing)


async def open_to_read(database_url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Open a database as it is. A SQLite file is only read, even while the worker that owns it is running.

    Raises:
        DatabaseUrlError: the text does not name a database.
        StoreUnavailableError: it does not answer, or refuses the login.
        MigrationError: its schema is not this release's; the text names the command to run.
    """
    url = parse_database_url(database_url)
    await _check_schema(database_url)
    if url.drivername == "sqlite":
        return _sqlite(url, timeouts)
    return _postgresql(url, timeouts)


def with_replica(primary: Store, read_url: str) -> ReplicatedStore:
    """Return the store with a replica for its queries, which is not used before the first `poll`.

    Raises:
        DatabaseUrlError: the text does not name a PostgreSQL database.
    """
    return ReplicatedStore(primary, open_standby(read_url))


def open_standby(read_url: str) -> Store:
    """Return a PostgreSQL standby as a store; nothing connects before the first query.

    Raises:
        DatabaseUrlError: the address does not name a PostgreSQL database.
    """
    url = parse_database_url(read_url, target="any")
    if url.drivername == "sqlite":
        raise DatabaseUrlError("a read replica is a PostgreSQL standby, not a SQLite file")
    return _postgresql(url)


async def _check_schema(database_url: str, find_missing: Callable[[Connection], str] = lambda _: "") -> None:
    def look(connection: Connection) -> schema_version.SchemaStanding:
        if missing := find_missing(connection):  # without them the version may not be read either
            raise lacking(missing)
        return schema_version.checked_standing(connection)

    found = await schema_version.on_connection(database_url, look)
    if not found.fits:
        raise MigrationError(schema_version.mend_of(found.current, found.needed))


def _sqlite(url: URL, timeouts: Timeouts | None, packing: Packing | None = None) -> "SqliteStore":
    from faultwire_consumer.store.sqlite.store import SqliteStore  # noqa: PLC0415 - see above

    return SqliteStore(url, timeouts or Timeouts(), packing=packing)


def _postgresql(url: URL, timeouts: Timeouts | None = None, packing: Packing | None = None) -> Store:
    from faultwire_consumer.store.postgresql.store import PostgresqlStore  # noqa: PLC0415 - see above

    return PostgresqlStore(url, timeouts or Timeouts(), packing=packing)


def _upgrade_if_needed(connection: Connection) -> None:
    if schema_version.standing_of(connection).fits:
        return
    from faultwire_consumer.store.migrations.migrate import upgrade_checked  # noqa: PLC0415 - imports Alembic

    upgrade_checked(connection)
