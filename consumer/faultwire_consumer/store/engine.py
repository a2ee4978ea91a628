"""Opens the store that a URL names: the one place that knows both databases."""

from sqlalchemy import Connection

from faultwire_consumer.store.contract.store import MigrationError, Store
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import DatabaseUrlError, parse_database_url
from faultwire_consumer.store.migrations import schema_version
from faultwire_consumer.store.replica.store import ReplicatedStore
from faultwire_consumer.store.sqlite.store import SqliteStore


async def open_store(database_url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Open a database. A SQLite file's schema is brought up to date here; PostgreSQL's must be up to date.

    Args:
        database_url: the database's address.
        timeouts: bounds on waiting for it, in place of the defaults.

    Raises:
        DatabaseUrlError: the text does not name a database.
        StoreUnavailableError: it does not answer, or refuses the login.
        MigrationError: its schema is not this release's; the text names the command to run.
    """
    url = parse_database_url(database_url)
    if url.drivername == "sqlite":
        store = SqliteStore(url, timeouts or Timeouts())
        try:
            await store.open(_upgrade_if_needed)
        except BaseException:
            await store.close()
            raise
        return store
    return await open_to_read(database_url, timeouts=timeouts)


async def open_to_read(database_url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Open a database as it is. A SQLite file is only read, even while the worker that owns it is running.

    Raises:
        DatabaseUrlError: the text does not name a database.
        StoreUnavailableError: it does not answer, or refuses the login.
        MigrationError: its schema is not this release's; the text names the command to run.
    """
    url = parse_database_url(database_url)
    current, needed = await schema_version.status(database_url)
    if current != needed:
        raise MigrationError(schema_version.mend_of(current, needed))
    if url.drivername == "sqlite":
        return SqliteStore(url, timeouts or Timeouts())
    # With the extra `consumer` alone there is no driver for PostgreSQL, and none is needed.
    from faultwire_consumer.store.postgresql.store import PostgresqlStore  # noqa: PLC0415 - see above

    return PostgresqlStore(url, timeouts or Timeouts())


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
    from faultwire_consumer.store.postgresql.store import PostgresqlStore  # noqa: PLC0415 - as above

    url = parse_database_url(read_url, target="any")
    if url.drivername == "sqlite":
        raise DatabaseUrlError("a read replica is a PostgreSQL standby, not a SQLite file")
    return PostgresqlStore(url, Timeouts())


def _upgrade_if_needed(connection: Connection) -> None:
    if schema_version.current_of(connection) == schema_version.head():
        return
    from faultwire_consumer.store.migrations.migrate import upgrade_checked  # noqa: PLC0415 - imports Alembic

    upgrade_checked(connection)
