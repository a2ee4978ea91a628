"""Disk space of the store: its size, also by day, and giving back what is free in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from typing import Final

from msgspec import Struct
from sqlalchemy import TextClause, func, select, text

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.postgresql.partition import list_partitions, may_own_tables
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events

ROW_BYTES: Final = 250
"""The approximate size of a row without its document, including its index entries."""
MOSTLY_DEAD: Final = 2
"""A day's table is rewritten if it is more than this many times as large as its live rows."""
_VACUUM_SECONDS: Final = 600.0
_PAGES: Final = 64
"""The pages of 16 KiB given back at a time: the one writer is free again after some milliseconds."""
_INCREMENTAL: Final = 2
PAUSE_SECONDS: Final = 0.02

_TOTAL: Final = text(
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'faultwire' AND c.relkind = 'r'"
)
# It steps from day to day along the primary key, while DISTINCT would read every entry.
_DAYS: Final = text(
    "WITH RECURSIVE d(day) AS (SELECT min(occurred_day) FROM events UNION ALL"
    " SELECT (SELECT min(occurred_day) FROM events WHERE occurred_day > d.day) FROM d"
    " WHERE d.day IS NOT NULL) SELECT day FROM d WHERE day IS NOT NULL"
)


class StoreSize(Struct, frozen=True, kw_only=True):
    """The store's size on disk, and how much of it is free already."""

    bytes: int
    free_bytes: int
    shrinks: bool
    """False for an older SQLite file, which cannot shrink until ``db prune --vacuum`` rewrites it."""


async def measure_store(store: Store) -> StoreSize:
    """Measure the store's size; on PostgreSQL, that of faultwire's own schema.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if store.name == "postgresql":
        return StoreSize(bytes=await _number(store, _TOTAL), free_bytes=0, shrinks=True)
    page = await _number(store, text("PRAGMA page_size"))
    free = await _number(store, text("PRAGMA freelist_count"))
    mode = await _number(store, text("PRAGMA auto_vacuum"))
    total = await _number(store, text("PRAGMA page_count"))
    return StoreSize(bytes=total * page, free_bytes=free * page, shrinks=mode == _INCREMENTAL)


async def list_days(store: Store) -> Sequence[date]:
    """List the days that have events, the oldest first, without the quarantine's.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if store.name == "postgresql":
        return [partition.day for partition in await list_partitions(store)]
    days = [date.fromisoformat(row.day) for row in await store.read(_DAYS)]
    return [day for day in days if day != QUARANTINE_DAY]


async def weigh_days(store: Store) -> Sequence[tuple[date, int]]:
    """Return about how many bytes each day takes; SQLite has to read all of its rows for that.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if store.name == "postgresql":
        return [(partition.day, partition.bytes) for partition in await list_partitions(store)]
    size = func.sum(func.coalesce(func.length(events.c.doc), 0) + ROW_BYTES)
    rows = await store.read(
        select(events.c.occurred_day, size.label("bytes"))
        .where(events.c.occurred_day != QUARANTINE_DAY)
        .group_by(events.c.occurred_day)
        .order_by(events.c.occurred_day)
    )
    return [(row.occurred_day, row.bytes) for row in rows]


async def give_space_back(
    store: Store, days: Iterable[date], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Give the space of deleted rows back to the disk.

    A role of PostgreSQL's that may not act for the tables' owner leaves it to autovacuum and to that owner.

    Args:
        store: the store; SQLite gives back every free page, if its file can shrink.
        days: the days from which rows were deleted; PostgreSQL rewrites those that are mostly dead,
            which locks out readers of that day for as long as it takes to copy the live rows.
        sleep: waits between two steps.

    Raises:
        StoreUnavailableError: something is in the way; try again later.
    """
    if store.name == "postgresql":
        for day in days if await may_own_tables(store) else ():
            await _vacuum_day(store, day)
        return
    free: int | None = None
    while (size := await measure_store(store)).shrinks and 0 < size.free_bytes != free:
        free = size.free_bytes
        await store.run_alone(f"PRAGMA incremental_vacuum({_PAGES})", seconds=_VACUUM_SECONDS)
        await sleep(PAUSE_SECONDS)
    # The file itself shrinks when the log is written into it.
    await store.run_alone("PRAGMA wal_checkpoint(PASSIVE)", seconds=_VACUUM_SECONDS)


async def vacuum_dead_letters(
    store: Store, *, live_bytes: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Give the space of dropped dead letters back to the disk.

    Raises:
        StoreUnavailableError: something is in the way; try again later.
    """
    if store.name == "postgresql":
        if await may_own_tables(store):
            await _vacuum_table(store, "dead_letters", live_bytes)
    else:
        await give_space_back(store, (), sleep=sleep)


async def rewrite_file(store: Store) -> None:
    """Rewrite a SQLite file without its free pages, and so that it can shrink by itself from now on.

    Raises:
        StoreUnavailableError: the disk lacks the room, or somebody is reading.
    """
    await store.run_alone("PRAGMA auto_vacuum = INCREMENTAL", seconds=_VACUUM_SECONDS)
    await store.run_alone("VACUUM", seconds=_VACUUM_SECONDS)
    await store.run_alone("PRAGMA wal_checkpoint(TRUNCATE)", seconds=_VACUUM_SECONDS)


async def _vacuum_day(store: Store, day: date) -> None:
    name = "events_quarantine" if day == QUARANTINE_DAY else f"events_{day:%Y%m%d}"
    live = await store.read(
        select(
            func.count().label("rows"),
            func.coalesce(func.sum(func.pg_column_size(events.c.doc)), 0).label("bytes"),
        ).where(events.c.occurred_day == day)
    )
    live_bytes = live[0].rows * ROW_BYTES + live[0].bytes
    await _vacuum_table(store, name, live_bytes, may_rewrite=day != QUARANTINE_DAY)


async def _vacuum_table(store: Store, name: str, live_bytes: int, *, may_rewrite: bool = True) -> None:
    size = await _number(store, text(f"SELECT pg_total_relation_size('faultwire.{name}')"))
    option = " (FULL)" if may_rewrite and size > live_bytes * MOSTLY_DEAD else ""
    await store.run_alone(f"VACUUM{option} faultwire.{name}", seconds=_VACUUM_SECONDS)


async def _number(store: Store, statement: TextClause) -> int:
    rows = await store.read(statement)
    return int(rows[0][0])
