"""The store on PostgreSQL: asyncpg on the hot path, SQLAlchemy Core for everything else, one pool."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final

import asyncpg
from sqlalchemy import URL, Executable, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from faultwire_consumer.store import record_postgresql as sql
from faultwire_consumer.store.contract import (
    Counted,
    EventRow,
    NewFingerprint,
    Sighting,
)
from faultwire_consumer.store.failure import translate
from faultwire_consumer.store.partition import make_partition
from faultwire_consumer.store.schema import QUARANTINE_DAY
from faultwire_shared.event_id import day_of
from faultwire_shared.failpoint import failpoint

_DRIVER_ERRORS: Final = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_POOL_CONNECTIONS: Final = 12
_SESSION: Final = {
    "application_name": "faultwire",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}


class PostgresqlTransaction:
    """Between begin and commit on one connection."""

    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one Core statement."""
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []

    async def record_events(self, rows: Sequence[EventRow], growth: Sequence[int] = ()) -> Counted:
        """Insert and count a batch in one statement."""
        earlier = await self._stored_under_own_day(rows)
        fresh = [row for row in rows if row.event_id not in earlier]
        counted = sql.counted_from(await self._driver.fetch(sql.RECORD, *sql.columns_of(fresh), growth))
        return Counted(counted.duplicates | earlier, counted.touched)

    async def _stored_under_own_day(self, rows: Sequence[EventRow]) -> frozenset[str]:
        late = [row.event_id for row in rows if row.occurred_day == QUARANTINE_DAY]
        if not late:
            return frozenset()
        found = await self._driver.fetch(sql.EARLIER, [day_of(one) for one in late], late)
        return frozenset(row["event_id"] for row in found)


class PostgresqlStore:
    """A PostgreSQL database, shared by any number of workers."""

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        # AUTOCOMMIT: transactions are begun on the driver's connection itself, so that its fast
        # calls and SQLAlchemy's statements share one.
        self._engine: AsyncEngine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=_POOL_CONNECTIONS,
            max_overflow=0,
            pool_timeout=10,
            connect_args={"timeout": 5, "command_timeout": 60, "server_settings": _SESSION},
        )
        self._partitions: set[date] = {QUARANTINE_DAY}

    @asynccontextmanager
    async def write(self) -> AsyncIterator[PostgresqlTransaction]:
        """A transaction at READ COMMITTED."""
        try:
            async with self._engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                async with _shielded_transaction(driver):
                    yield PostgresqlTransaction(connection, driver)
        except _DRIVER_ERRORS as error:
            raise translate(error) from error

    async def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """Run one query."""
        try:
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).all()
        except _DRIVER_ERRORS as error:
            raise translate(error) from error

    async def register(self, fingerprints: Sequence[NewFingerprint], sightings: Sequence[Sighting]) -> None:
        """Make fingerprints and sightings known, each kind in one statement."""
        new = sorted(fingerprints, key=lambda one: one.fingerprint)
        async with self._driver() as driver:
            if new:
                await driver.execute(sql.REGISTER, *sql.register_columns(new))
            if sightings:
                await driver.execute(sql.SIGHT, *sql.sighting_columns(sightings))

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make the partitions of days that this process has not seen yet."""
        for day in sorted(days - self._partitions):
            async with self._driver() as driver:
                await make_partition(driver, day)
            self._partitions.add(day)

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[Any]:
        try:
            async with self._engine.connect() as connection:
                yield (await connection.get_raw_connection()).driver_connection
        except _DRIVER_ERRORS as error:
            raise translate(error) from error

    async def ping(self) -> None:
        """One trivial query."""
        await self.read(text("SELECT 1"))

    async def close(self) -> None:
        """Close the pool."""
        await self._engine.dispose()


@asynccontextmanager
async def _shielded_transaction(driver: Any) -> AsyncIterator[None]:
    transaction = driver.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        await _rollback(driver, transaction)
        raise
    failpoint("worker.committing")
    # A commit that is cancelled half-way would leave unknown what is stored.
    await asyncio.shield(transaction.commit())


async def _rollback(driver: Any, transaction: Any) -> None:
    if driver.is_closed():
        return
    try:
        await transaction.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        driver.terminate()  # the error that led here matters, not that its connection is gone
