"""A SQLite file as one side of a copy: locked as by a worker, used from one thread at a time."""

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
    columns_of,
    copied_tables,
    driver_rows,
    rows_after,
    select_counts,
    select_final_key,
    size_of,
    summary_from,
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
    """A SQLite file that no worker uses."""

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
        """Lock the file, as a worker would."""
        if not self._path.parent.is_dir():
            raise CopyRefusedError(f"{self._path.parent} is not a directory")
        self._lock = lock_file(self._path)
        if self._lock is None:
            raise CopyRefusedError(f"{self._path} belongs to a worker that is running; stop it for the copy")

    async def close(self) -> None:
        """Unlock the file."""
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def identity(self) -> object:
        """Return the file's path with all links resolved."""
        return self._path.resolve()

    async def find_worker(self) -> bool:
        """Return False, since this side holds the file's lock."""
        return False

    async def summaries(self) -> Mapping[str, TableSummary]:
        """Return the summary of every table."""
        return await self._run(_summaries)

    async def chunks(self, table: Table, last_key: str | None) -> AsyncGenerator[Chunk]:
        """Yield the rows of a table, which do not change, since nobody else writes."""
        connection = await asyncio.to_thread(self._engine.connect)
        try:
            result = await asyncio.to_thread(connection.execute, rows_after(table, last_key))
            while chunk := await asyncio.to_thread(_fetch, result):
                yield chunk
        finally:
            await asyncio.to_thread(connection.close)

    async def begin(self, source: str, summaries: Mapping[str, TableSummary]) -> None:
        """Store the source's summaries."""

        def run(connection: Connection) -> None:
            progress.create(connection, checkfirst=True)
            connection.execute(insert(progress), progress_rows(source, summaries))

        await self._run(run)

    async def load_progress(self) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
        """Load what an earlier copy stored."""

        def run(connection: Connection) -> Any:
            if not inspect(connection).has_table(progress.name):
                return []
            return connection.execute(select(progress)).all()

        return read_progress(await self._run(run))

    async def load(self, table: Table, chunk: Chunk, *, before: Step, after: Step) -> None:
        """Insert a chunk in a transaction of its own."""

        def run(connection: Connection) -> None:
            check_moved(connection.execute(advance(table, before, after)).rowcount)
            connection.exec_driver_sql(_insert_of(table), driver_rows(table, chunk, connection.dialect))

        await self._run(run)

    async def finish(self) -> None:
        """Write everything to the disk; SQLite continues after the highest id by itself."""

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
    # A power cut may lose the last chunks, but none without those that follow it, and the progress with
    # them: the copy goes on from there. At the end a checkpoint writes everything to the disk.
    connection.execute("PRAGMA synchronous = NORMAL")


def _insert_of(table: Table) -> str:
    quote = sqlite.dialect().identifier_preparer.quote
    names = [quote(column.name) for column in columns_of(table)]
    places = ", ".join("?" * len(names))
    return f"INSERT INTO {quote(table.name)} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - our own names


def _summaries(connection: Connection) -> dict[str, TableSummary]:
    return {
        table.name: summary_from(
            connection.execute(select_counts(table)).one(),
            connection.execute(select_final_key(table)).first(),
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
