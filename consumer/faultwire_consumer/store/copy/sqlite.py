"""A SQLite file as one side of a copy: taken as a worker takes it, used from one thread at a time."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert, inspect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from faultwire_consumer.store.contract.url import sqlite_path
from faultwire_consumer.store.copy.plan import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    FETCH_ROWS,
    CopyRefusedError,
    TableSummary,
    bound,
    columns_of,
    copied_tables,
    final_key_of,
    mark_of,
    read_mark,
    rows_after,
    size_of,
)
from faultwire_consumer.store.copy.progress import (
    Step,
    advance,
    check_moved,
    progress,
    progress_rows,
    read_progress,
)
from faultwire_consumer.store.copy.side import Chunk
from faultwire_consumer.store.schema.events import SCHEMA
from faultwire_consumer.store.sqlite.file_lock import lock_file
from faultwire_consumer.store.sqlite.pragma import prepare_connection

T = TypeVar("T")


class SqliteSide:
    """A SQLite file that no worker has."""

    def __init__(self, url: URL) -> None:
        self.where = f"sqlite:///{url.database}"
        self._path = sqlite_path(url)
        self._lock: int | None = None
        self._engine: Engine = create_engine(url, poolclass=StaticPool).execution_options(
            schema_translate_map={SCHEMA: None}
        )
        prepare_connection(self._engine)
        event.listen(self._engine, "connect", _sync_at_checkpoints)

    async def open(self) -> None:
        """Take the file, as a worker would."""
        if not self._path.parent.is_dir():
            raise CopyRefusedError(f"{self._path.parent} is no directory")
        self._lock = lock_file(self._path)
        if self._lock is None:
            raise CopyRefusedError(f"{self._path} belongs to a worker that is running; stop it for the copy")

    async def close(self) -> None:
        """Give the file free."""
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def identity(self) -> object:
        """The file, behind whatever links."""
        return self._path.resolve()

    async def find_worker(self) -> bool:
        """None can: the lock is ours."""
        return False

    async def marks(self) -> Mapping[str, TableSummary]:
        """The mark of every table."""
        return await self._run(_marks)

    async def chunks(self, table: Table, last_key: str | None) -> AsyncGenerator[Chunk]:
        """Rows of a table; nobody else writes, so they stand as they stood."""
        connection = await asyncio.to_thread(self._engine.connect)
        try:
            result = await asyncio.to_thread(connection.execute, rows_after(table, last_key))
            while chunk := await asyncio.to_thread(_fetch, result):
                yield chunk
        finally:
            await asyncio.to_thread(connection.close)

    async def begin(self, source: str, marks: Mapping[str, TableSummary]) -> None:
        """Write the marks down."""

        def run(connection: Connection) -> None:
            progress.create(connection, checkfirst=True)
            connection.execute(insert(progress), progress_rows(source, marks))

        await self._run(run)

    async def begun(self) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
        """What was written down."""

        def run(connection: Connection) -> Any:
            if not inspect(connection).has_table(progress.name):
                return []
            return connection.execute(select(progress)).all()

        return read_progress(await self._run(run))

    async def load(self, table: Table, chunk: Chunk, *, before: Step, after: Step) -> None:
        """Insert a chunk in a transaction of its own."""

        def run(connection: Connection) -> None:
            check_moved(connection.execute(advance(table, before, after)).rowcount)
            connection.exec_driver_sql(_insert_of(table), bound(table, chunk, connection.dialect))

        await self._run(run)

    async def finish(self) -> None:
        """See that all of it is on the disk; SQLite counts on by itself from the highest id."""

        def run() -> None:
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

        await asyncio.to_thread(run)

    async def _run(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _sync_at_checkpoints(connection: Any, _: object) -> None:
    # A power cut may take the last chunks, but none without those behind it, and the progress with
    # them: the copy goes on from there. At the end a checkpoint sees to the disk.
    connection.execute("PRAGMA synchronous = NORMAL")


def _insert_of(table: Table) -> str:
    quote = sqlite.dialect().identifier_preparer.quote
    names = [quote(column.name) for column in columns_of(table)]
    places = ", ".join("?" * len(names))
    return f"INSERT INTO {quote(table.name)} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - our own names


def _marks(connection: Connection) -> dict[str, TableSummary]:
    return {
        table.name: read_mark(
            connection.execute(mark_of(table)).one(), connection.execute(final_key_of(table)).first()
        )
        for table in copied_tables()
    }


def _fetch(result: Any) -> Chunk:
    chunk: list[Any] = []
    size = 0
    while len(chunk) < CHUNK_ROWS and size < CHUNK_BYTES and (rows := result.fetchmany(FETCH_ROWS)):
        chunk += rows
        size += size_of(rows)
    return chunk
