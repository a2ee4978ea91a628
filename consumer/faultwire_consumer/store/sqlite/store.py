"""The store on SQLite: one connection writes, in a thread of its own; the others only read.

One worker owns the file, held by a lock file next to it: with several writing or
checkpointing connections SQLite 3.7 to 3.51.2 can corrupt a WAL database.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import date
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Executable, Row, create_engine, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

from faultwire_consumer.store.contract.failure import translate_sqlite, unavailable
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.pile import UsualWrites
from faultwire_consumer.store.contract.prepared import ConnectionReader, Prepared
from faultwire_consumer.store.contract.store import (
    BODIES_MAX,
    Counted,
    EventRow,
    NewFingerprint,
    Place,
    StoreTakenError,
    StoreUnavailableError,
)
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import sqlite_path
from faultwire_consumer.store.schema.events import SCHEMA, from_micros, to_micros
from faultwire_consumer.store.schema.upkeep import leases
from faultwire_consumer.store.sqlite import record, registration
from faultwire_consumer.store.sqlite.file_lock import OpenFile, lock_file, make_private_file
from faultwire_consumer.store.sqlite.pragma import prepare_connection
from faultwire_shared.clock import Clock, utc_now

P = ParamSpec("P")
T = TypeVar("T")

DRIVER_ERRORS: Final = (DBAPIError, PoolTimeoutError, sqlite3.Error, OSError, OverflowError, UnicodeError)
_READERS: Final = 4
_LOOK_SECONDS: Final = 0.01
_NO_SCHEMA: Final = {SCHEMA: None}
_EPOCH: Final = from_micros(0)


class SqliteTransaction:
    """A transaction on the one writing connection."""

    dialect = "sqlite"
    pile = None

    def __init__(self, store: "SqliteStore", connection: Connection) -> None:
        self._store = store
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one Core statement in the writer's thread."""

        def run() -> Sequence[Row[Any]]:
            result = self._connection.execute(statement, parameters)
            return result.all() if result.returns_rows else []

        return await self._store.in_thread(run)

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places in the writer's thread."""
        driver, now = driver_of(self._connection), to_micros(self._store.clock())
        await self._store.in_thread(registration.register, driver, fingerprints, places, now)

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_max: int = BODIES_MAX
    ) -> Counted:
        """Insert and count a batch in the writer's thread."""
        driver = driver_of(self._connection)
        pack = self._store.packing.pack
        return await self._store.in_thread(
            record.record, driver, rows, growth, bodies_max=bodies_max, pack=pack
        )


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the sqlite3 connection under SQLAlchemy's."""
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # typed for any driver
    return driver


async def _give_back(taken: asyncio.Future[AsyncConnection]) -> None:
    with suppress(*DRIVER_ERRORS):
        await (await taken).close()


class SqliteStore:
    """A SQLite file, owned by one worker."""

    name = "sqlite"

    def __init__(
        self, url: URL, timeouts: Timeouts, *, packing: Packing | None = None, clock: Clock = utc_now
    ) -> None:
        self.packing = packing or Packing()
        self._url = url
        self.clock = clock
        self._read_seconds = timeouts.statement
        self._unended: set[asyncio.Future[Any]] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="faultwire-sqlite")
        self._writing = asyncio.Lock()
        self._lock: int | None = None
        self._file: OpenFile | None = None
        self._engine: Engine = create_engine(url, poolclass=StaticPool).execution_options(
            schema_translate_map=_NO_SCHEMA
        )
        prepare_connection(self._engine, busy_seconds=timeouts.lock)
        readers = url.set(
            drivername="sqlite+aiosqlite",
            database=f"file:{quote(url.database or '')}",
            query={"mode": "ro", "uri": "true"},
        )
        self._readers: AsyncEngine = create_async_engine(
            readers, pool_size=_READERS, max_overflow=0
        ).execution_options(schema_translate_map=_NO_SCHEMA)

    async def open(self, upgrade: Callable[[Connection], None]) -> None:
        """Lock the file for this worker and bring its schema up to date.

        Raises:
            StoreTakenError: another worker has the file.
            StoreUnavailableError: the file cannot be opened.
        """
        try:
            await self.in_thread(self._lock_file)
            await self.in_thread(self._upgrade, upgrade)
        except DRIVER_ERRORS as error:
            raise unavailable(error, self._url) from None

    def _lock_file(self) -> None:
        path = sqlite_path(self._url)
        self._lock = lock_file(path)
        if self._lock is None:
            raise StoreTakenError(
                f"{path} belongs to another worker that is running; stop it, or use another file"
            )

    def _upgrade(self, upgrade: Callable[[Connection], None]) -> None:
        path = sqlite_path(self._url)
        make_private_file(path)
        with self._engine.begin() as connection:
            upgrade(connection)
            # Every holder has ended, since the file is this process's now.
            connection.execute(update(leases).values(expires_at=_EPOCH))
        self._file = OpenFile(path)

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Open a first reader; the writer has had its connection since the file was opened."""
        with suppress(StoreUnavailableError):
            await self.ping()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqliteTransaction]:
        """Begin a transaction of the one writer; others wait for their turn."""
        async with self._writing:
            try:
                connection = await self._begin_whole()
                try:
                    yield SqliteTransaction(self, connection)
                except BaseException:
                    await asyncio.shield(self.in_thread(self._end, connection, commit=False))
                    raise
                await asyncio.shield(self.in_thread(self._end, connection, commit=True))
            except DRIVER_ERRORS as error:
                raise translate_sqlite(error) from error

    async def _begin_whole(self) -> Connection:
        """Begin a transaction; if the task is cancelled during that, close what the thread still opens."""
        begun = asyncio.ensure_future(self.in_thread(self._begin))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            await asyncio.shield(self.in_thread(self._end, await begun, commit=False))
            raise

    def _check_file(self) -> None:
        """See that the file is the one that was opened: what is written into one without a name is gone.

        Raises:
            OSError: it was removed, or another one stands in its place.
        """
        if self._file is not None and not self._file.is_there():
            path = sqlite_path(self._url)
            raise OSError(f"{path} was removed or replaced while it was in use; start the worker again")

    def _begin(self) -> Connection:
        self._check_file()
        connection = self._engine.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def _end(self, connection: Connection, *, commit: bool) -> None:
        try:
            if commit:
                connection.commit()
        finally:
            connection.close()  # rolls back what is not committed

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query on a connection that cannot write."""
        async with self.reading() as reader:
            return await reader.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ConnectionReader]:
        """Return a reader on one connection, which cannot write."""
        try:
            connection = await self._take_reader()
            try:
                yield ConnectionReader(self.name, connection)
            finally:
                await asyncio.shield(connection.close())
        except DRIVER_ERRORS as error:
            raise translate_sqlite(error) from error

    async def _take_reader(self) -> AsyncConnection:
        """Take a reader; if the task is cancelled during that, give back what the thread still opens."""
        taken = self._begun(self._readers.connect().start())
        try:
            return await asyncio.shield(taken)
        except asyncio.CancelledError:
            _ = self._begun(_give_back(taken))
            raise

    def _begun(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        task = asyncio.ensure_future(work)
        self._unended.add(task)
        task.add_done_callback(self._unended.discard)
        return task

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places in one transaction."""
        async with self._writing:
            try:
                await asyncio.shield(self.in_thread(self._register, fingerprints, places))
            except DRIVER_ERRORS as error:
                raise translate_sqlite(error) from error

    def _register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        with self._engine.begin() as connection:
            registration.register(driver_of(connection), fingerprints, places, to_micros(self.clock()))

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Do nothing: SQLite keeps all days in one table."""

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a statement on the writing connection between transactions; SQLite cannot bound its time."""
        async with self._writing:
            try:
                await asyncio.shield(self.in_thread(self._run_alone, statement))
            except DRIVER_ERRORS as error:
                raise translate_sqlite(error) from error

    def _run_alone(self, statement: str) -> None:
        with self._engine.connect() as connection:
            # Read to the last row: incremental_vacuum frees a page at each step.
            driver_of(connection).execute(statement).fetchall()

    async def ping(self) -> None:
        """Run one trivial query by a reader, and see that the file is still there."""
        try:
            await asyncio.to_thread(self._check_file)  # not by the writer's thread, which may be at work
        except OSError as error:
            raise translate_sqlite(error) from error
        await self.read(text("SELECT 1"))

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work in the writer's thread, the only one that may use the writing connection."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    @property
    def certificate_ends_at(self) -> float | None:
        """None: there is no other side."""
        return None

    def connections(self) -> Mapping[str, int]:
        """Return how many there are by state: the writer, and readers."""
        pool: QueuePool = self._readers.pool  # type: ignore[assignment]  # typed for any pool
        writing = int(self._writing.locked())
        return {"in_use": pool.checkedout() + writing, "idle": pool.checkedin() + 1 - writing}

    async def close(self) -> None:
        """Close every connection and unlock the file, once reads that were begun have ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reads_ended(), self._read_seconds)
        await self._readers.dispose()
        await self.in_thread(self._engine.dispose)
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._thread.shutdown(wait=False)

    async def _reads_ended(self) -> None:
        # A pool that is disposed of forgets what is checked out, and nobody closes it. It tells
        # nobody either when a connection comes back, which may be after its reader was cancelled.
        pool: QueuePool = self._readers.pool  # type: ignore[assignment]  # typed for any pool
        while self._unended or pool.checkedout():  # noqa: ASYNC110  # the pool has no event to wait for
            await asyncio.sleep(_LOOK_SECONDS)
