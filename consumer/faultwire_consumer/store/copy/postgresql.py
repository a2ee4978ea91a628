"""A PostgreSQL database as one side of a copy: read in one snapshot, filled by COPY."""

from collections.abc import AsyncGenerator, Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import URL, Column, Select, Table, cast, func, insert, inspect, select, text
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from faultwire_consumer.store.contract.role import NAME
from faultwire_consumer.store.contract.url import show_url
from faultwire_consumer.store.copy.plan import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    FETCH_ROWS,
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
from faultwire_consumer.store.postgresql.owner import act_as_owner
from faultwire_consumer.store.postgresql.partition import make_partition
from faultwire_consumer.store.postgresql.session import SessionOpener
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, SCHEMA, events

_CONNECT_SECONDS: Final = 10
_IDENTITY: Final = """
SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()
"""
_WORKERS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (application_name = :name OR starts_with(application_name, :name || '/'))
"""


class PostgresqlSide:
    """A PostgreSQL database that no worker uses."""

    def __init__(self, url: URL) -> None:
        self.where = show_url(url)
        self._worker = str(url.query.get("application_name", NAME))
        # Not a worker's name, by which `find_worker` recognises workers.
        settings = {"application_name": "faultwire db copy"}
        self._engine: AsyncEngine = create_async_engine(
            url.difference_update_query(["application_name"]),
            poolclass=NullPool,
            connect_args={
                "async_creator_fn": SessionOpener(),
                "timeout": _CONNECT_SECONDS,
                "server_settings": settings,
            },
        )
        self._snapshot: AsyncConnection | None = None
        self._days: set[date] = {QUARANTINE_DAY}

    async def open(self) -> None:
        """Check that the database answers."""
        await self.identity()

    async def close(self) -> None:
        """End the snapshot and close every connection."""
        await self._end_snapshot()
        await self._engine.dispose()

    async def identity(self) -> object:
        """Return the server's start time and the database's number there, equal for any address of it."""
        async with self._engine.connect() as connection:
            return tuple((await connection.execute(text(_IDENTITY))).one())

    async def find_worker(self) -> bool:
        """Return True if a worker has a session in the database."""
        async with self._engine.connect() as connection:
            return bool((await connection.execute(text(_WORKERS), {"name": self._worker})).scalar_one())

    async def summaries(self) -> Mapping[str, TableSummary]:
        """Return the summary of every table."""
        connection = await self._read()
        found = {}
        for table in copied_tables():
            counts = (await connection.execute(select_counts(table))).one()
            final = (await connection.execute(select_final_key(table))).first()
            found[table.name] = summary_from(counts, final)
        return found

    async def chunks(self, table: Table, last_key: str | None) -> AsyncGenerator[Chunk]:
        """Yield the rows of a table as they are in the snapshot."""
        connection = await self._read()
        result = await connection.stream(rows_after(table, last_key))
        while chunk := await _fetch(result):
            yield chunk
        await result.close()

    async def _read(self) -> AsyncConnection:
        if self._snapshot is None:
            engine = self._engine.execution_options(isolation_level="REPEATABLE READ")
            self._snapshot = await engine.connect()
        return self._snapshot

    async def _end_snapshot(self) -> None:
        if self._snapshot is not None:
            await self._snapshot.close()
            self._snapshot = None

    async def begin(self, source: str, summaries: Mapping[str, TableSummary]) -> None:
        """Store the source's summaries."""
        await self._end_snapshot()
        async with self._engine.begin() as connection:
            await connection.run_sync(act_as_owner)
            await connection.run_sync(progress.create, checkfirst=True)
            await connection.execute(insert(progress), progress_rows(source, summaries))

    async def load_progress(self) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
        """Load what an earlier copy stored."""
        async with self._engine.connect() as connection:
            exists = await connection.run_sync(
                lambda sync: inspect(sync).has_table(progress.name, schema=SCHEMA)
            )
            return read_progress((await connection.execute(select(progress))).all() if exists else ())

    async def load(self, table: Table, chunk: Chunk, *, before: Step, after: Step) -> None:
        """COPY a chunk in a transaction of its own, after creating the partitions of its days."""
        if table is events:
            await self._make_days({row.occurred_day for row in chunk} - self._days)
        async with self._engine.begin() as connection:
            check_moved((await connection.execute(advance(table, before, after))).rowcount)
            driver = await _driver_of(connection)
            await driver.copy_records_to_table(
                table.name,
                schema_name=SCHEMA,
                columns=[column.name for column in columns_of(table)],
                records=driver_rows(table, chunk, connection.dialect),
            )

    async def _make_days(self, days: set[date]) -> None:
        for day in sorted(days):
            async with self._engine.connect() as connection:
                await make_partition(await _driver_of(connection), day)
            self._days.add(day)

    async def finish(self) -> None:
        """Set every sequence after the highest id, and gather the planner's statistics."""
        async with self._engine.begin() as connection:
            for table in copied_tables():
                if table.autoincrement_column is not None:
                    await connection.execute(_advance_sequence(table, table.autoincrement_column))
                await connection.execute(text(f"ANALYZE {SCHEMA}.{table.name}"))
        await self._end_snapshot()


def _advance_sequence(table: Table, column: Column[Any]) -> Select[Any]:
    sequence = func.pg_get_serial_sequence(f"{SCHEMA}.{table.name}", column.name)
    highest = func.max(column)
    return select(func.setval(cast(sequence, REGCLASS), highest)).having(highest.is_not(None))


async def _driver_of(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def _fetch(result: Any) -> Chunk:
    chunk: list[Any] = []
    size = 0
    while len(chunk) < CHUNK_ROWS and size < CHUNK_BYTES and (rows := await result.fetchmany(FETCH_ROWS)):
        chunk += rows
        size += size_of(rows)
    return chunk
