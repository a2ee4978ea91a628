"""The store on PostgreSQL: asyncpg on the hot path, SQLAlchemy Core for everything else, one pool."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final

import asyncpg
from sqlalchemy import URL, Executable, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.figures.tally import encode_tally, tally
from faultwire_consumer.store.contract.failure import breaks_trust, lacks_partition, translate
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.pile import UsualWrites, nothing_of, together
from faultwire_consumer.store.contract.prepared import ConnectionReader, Prepared
from faultwire_consumer.store.contract.store import BODIES_MAX, Counted, EventRow, NewFingerprint, Place
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.events.bodies import KNOWN, edge_bodies_to_mend
from faultwire_consumer.store.postgresql import record as sql
from faultwire_consumer.store.postgresql.partition import make_partition
from faultwire_consumer.store.postgresql.pile import DriverPile
from faultwire_consumer.store.postgresql.pool import DRIVER_ERRORS, Pool
from faultwire_consumer.store.schema.events import QUARANTINE_DAY
from faultwire_shared.event_id import day_of
from faultwire_shared.logging.logs import get_logger

WARM_CONNECTIONS: Final = 6
"""Enough for two batches in flight of the busy lanes, two of critical events, the outbox, and a chore."""
PLANNED_ANEW: Final = 5
"""The custom plans that PostgreSQL makes of a prepared statement before it considers a generic one."""

PACKED_AT_ONCE: Final = 128 * 1024
"""The bytes of bodies that are packed on the event loop: less than a millisecond, a turn to a thread less."""

_END_SECONDS: Final = 2.0
"""For the end of a transaction that is waited for only out of politeness."""

log = get_logger(__name__)


class PostgresqlTransaction:
    """A transaction on one connection."""

    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection, driver: Any, packing: Packing) -> None:
        self._connection = connection
        self._driver = driver
        self.pile = DriverPile(driver)
        self._packing = packing

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one Core statement."""
        await self.pile.send()
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places in one statement."""
        await self.pile.send()
        await self._driver.execute(sql.REGISTER, *sql.register_columns(fingerprints, places))

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_max: int = BODIES_MAX
    ) -> Counted:
        """Insert and count a batch in one statement; others follow only if it kept too many bodies."""
        await self.pile.send()
        earlier = await self._stored_under_own_day(rows)
        fresh = [row for row in rows if row.event_id not in earlier]
        figures = encode_tally(tally(fresh))
        columns = (
            *(await self._columns_of(fresh)),
            growth,
            bodies_max,
            *sql.ended_columns(fresh),
            figures,
        )
        answer = await self._driver.fetch(sql.RECORD, *columns)
        counted = sql.counted_from(answer)
        if counted.duplicates:
            await self._journal([row for row in fresh if row.event_id not in counted.duplicates])
        cut: set[str] = set()
        for surplus in sql.surpluses_in(answer, bodies_max):
            days, ids = sql.body_key_columns(fresh, counted.duplicates)
            narrowed = await self._driver.fetch(sql.CUT, days, ids, surplus.incident_id, surplus.bodies)
            cut.update(row["event_id"] for row in narrowed)
        if cut or counted.duplicates:
            await self._put_edge_bodies(edge_bodies_to_mend(fresh, duplicates=counted.duplicates, cut=cut))
        bodies = sql.bodies_in(answer, fresh, bodies_max)
        return Counted(counted.duplicates | earlier, counted.touched, frozenset(cut), bodies)

    async def _columns_of(self, rows: Sequence[EventRow]) -> tuple[list[Any], ...]:
        """Return the batch as arrays; what takes long to pack is packed beside the loop's other tasks."""
        size = sum(len(row.doc) for row in rows if row.body is not Body.NONE)
        if self._packing.dictionary_id is None or size < PACKED_AT_ONCE:
            return sql.columns_of(rows, self._packing.pack)
        return await asyncio.to_thread(sql.columns_of, rows, self._packing.pack)

    async def _journal(self, rows: Sequence[EventRow]) -> None:
        if rows:
            await self._driver.execute(sql.JOURNAL, encode_tally(tally(rows)))

    async def _put_edge_bodies(self, edge_bodies: Sequence[tuple[Body, EventRow]]) -> None:
        if edge_bodies:
            columns = sql.edge_body_columns(edge_bodies, self._packing.pack)
            await self._driver.execute(sql.PUT_EDGE_BODIES, *columns)

    async def _stored_under_own_day(self, rows: Sequence[EventRow]) -> frozenset[str]:
        late = [row.event_id for row in rows if row.occurred_day == QUARANTINE_DAY]
        if not late:
            return frozenset()
        found = await self._driver.fetch(sql.EARLIER, [day_of(event_id) for event_id in late], late)
        return frozenset(row["event_id"] for row in found)


class PostgresqlStore:
    """A PostgreSQL database, shared by any number of workers."""

    name = "postgresql"

    def __init__(self, url: URL, timeouts: Timeouts, *, packing: Packing | None = None) -> None:
        self._packing = packing or Packing()
        self._pool = Pool(url, timeouts)
        self._statement_timeout = timeouts.session()["statement_timeout"]
        self._partitions: set[date] = {QUARANTINE_DAY}

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Open the first connections, and have each plan the hot statements before an event waits for that.

        A new connection asks for the types of the arrays and plans each statement five times for its
        values, then once for all values: 100 ms and more, which the first events would wait for. No
        lock is waited for: a worker takes events in while somebody holds a table.
        """
        warming = (self._warm_one(usual) for _ in range(WARM_CONNECTIONS))
        results = await asyncio.gather(*warming, return_exceptions=True)
        failures = [error for error in results if error is not None]
        if failures:  # the first user of the store gets them too
            log.warning("store.not_warmed", why=str(failures[0]))

    async def _warm_one(self, usual: UsualWrites) -> None:
        async with self._connection() as (connection, driver), _transaction(driver):
            await driver.execute(sql.LOCK)
            for _ in range(PLANNED_ANEW + 1):
                await connection.execute(KNOWN[self.name], {"keys": []})
                await driver.fetch(sql.RECORD, *sql.columns_of(()), (), BODIES_MAX, (), (), b"")
                await driver.execute(sql.REGISTER, *sql.register_columns((), ()))
                for shapes in usual:
                    await driver.fetch(together(tuple(shapes)), *nothing_of(shapes))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[PostgresqlTransaction]:
        """Begin a transaction at READ COMMITTED."""
        async with self._connection() as (connection, driver), _transaction(driver):
            transaction = PostgresqlTransaction(connection, driver, self._packing)
            yield transaction
            await transaction.pile.send()

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query."""
        async with self.reading() as reader:
            return await reader.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ConnectionReader]:
        """Return a reader on one connection."""
        async with self._connection() as (connection, _):
            yield ConnectionReader(self.name, connection)

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places in one statement."""
        async with self._connection() as (_, driver):
            await driver.execute(sql.REGISTER, *sql.register_columns(fingerprints, places))

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Create the partitions of days that this process has not seen yet."""
        for day in sorted(days - self._partitions):
            async with self._connection() as (_, driver):
                await make_partition(driver, day)
            self._partitions.add(day)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a statement outside any transaction, for no longer than the given time."""
        async with self._connection() as (_, driver):
            await driver.execute(f"SET statement_timeout = {round(seconds * 1000)}")
            try:
                await driver.execute(statement, timeout=seconds + _END_SECONDS)
            finally:
                if not driver.is_closed():
                    # Not RESET: behind a pooler that would be the server's own.
                    await driver.execute(f"SET statement_timeout = '{self._statement_timeout}'")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        """Borrow a connection, together with the driver's own inside it."""
        driver = None
        try:
            async with self._pool.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                await self._pool.name(driver)
                yield connection, driver
        except DRIVER_ERRORS as error:
            if breaks_trust(error):
                self._pool.distrust()
            if lacks_partition(error):
                # Dropped, detached, or not in the dump: `prepare_days` makes it before the next try.
                self._partitions = {QUARANTINE_DAY}
            is_broken = driver is not None and driver.is_closed()
            raise translate(error, is_broken=is_broken) from error

    async def ping(self) -> None:
        """Run one trivial query."""
        await self.read(text("SELECT 1"))

    @property
    def certificate_ends_at(self) -> float | None:
        """End of the server's certificate in Unix time; None without TLS that is verified."""
        return self._pool.certificate_ends_at

    def connections(self) -> Mapping[str, int]:
        """Return how many there are by state."""
        return self._pool.connections()

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()


@asynccontextmanager
async def _transaction(driver: Any) -> AsyncIterator[None]:
    transaction = driver.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        await _rollback(driver, transaction)
        raise
    await _commit(driver, transaction)


async def _commit(driver: Any, transaction: Any) -> None:
    """Commit to the end even if cancelled: the next user of the connection must not find it half-way."""
    commit = asyncio.ensure_future(transaction.commit())
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        _, unfinished = await asyncio.wait({commit}, timeout=_END_SECONDS)
        if unfinished:
            driver.terminate()  # it may have been stored or not: the events are delivered again
            await asyncio.wait({commit})
        raise


async def _rollback(driver: Any, transaction: Any) -> None:
    if driver.is_closed():
        return
    try:
        async with asyncio.timeout(_END_SECONDS):
            await transaction.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # TimeoutError is one
        driver.terminate()  # the error that led here matters, not that its connection is gone
