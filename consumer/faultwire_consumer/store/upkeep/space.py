"""How much the store takes of the disk, by day, and giving back what is free in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date
from typing import Final

from msgspec import Struct
from sqlalchemy import TextClause, func, select, text

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.postgresql.partition import list_partitions
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events

ROW_BYTES: Final = 250
"""About what a row takes beside its document, with its entries in the indexes."""
MOSTLY_DEAD: Final = 2
"""A day's table is written anew where it is so many times larger than what lives in it."""
_VACUUM_SECONDS: Final = 600.0
_PAGES: Final = 64
"""Of 16 KiB, given back at a time: the one writer is free again after some milliseconds."""
_INCREMENTAL: Final = 2
PAUSE_SECONDS: Final = 0.02

_TOTAL: Final = text(
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'faultwire' AND c.relkind = 'r'"
)
# Steps from day to day along the primary key, where DISTINCT would read every entry.
_DAYS: Final = text(
    "WITH RECURSIVE d(day) AS (SELECT min(occurred_day) FROM events UNION ALL"
    " SELECT (SELECT min(occurred_day) FROM events WHERE occurred_day > d.day) FROM d"
    " WHERE d.day IS NOT NULL) SELECT day FROM d WHERE day IS NOT NULL"
)


class StoreSize(Struct, frozen=True, kw_only=True):
    """What the store takes of the disk, and what of it is free already."""

    bytes: int
    free_bytes: int
    shrinks: bool
    """False for a SQLite file that was made before it could; ``db prune --vacuum`` changes it."""


async def measure_store(store: Store) -> StoreSize:
    """What the store takes now; of PostgreSQL faultwire's own schema.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    if store.name == "postgresql":
        return StoreSize(bytes=await _number(store, _TOTAL), free_bytes=0, shrinks=True)
    page = await _number(store, text("PRAGMA page_size"))
    free = await _number(store, text("PRAGMA freelist_count"))
    mode = await _number(store, text("PRAGMA auto_vacuum"))
    total = await _number(store, text("PRAGMA page_count"))
    return StoreSize(bytes=total * page, free_bytes=free * page, shrinks=mode == _INCREMENTAL)


async def list_days(store: Store) -> Sequence[date]:
    """The days that events are stored of, the quarantine's not among them, from the oldest on.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    if store.name == "postgresql":
        return [one.day for one in await list_partitions(store)]
    days = [date.fromisoformat(row.day) for row in await store.read(_DAYS)]
    return [day for day in days if day != QUARANTINE_DAY]


async def weigh_days(store: Store) -> Sequence[tuple[date, int]]:
    """About how many bytes each day takes; SQLite has to read all of its rows for it.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    if store.name == "postgresql":
        return [(one.day, one.bytes) for one in await list_partitions(store)]
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
    """Give the space of rows that are gone back to the disk.

    Args:
        store: SQLite gives back every free page, where its file was made for it.
        days: from which some rows are gone; PostgreSQL writes the mostly dead of them anew, which
            locks readers of that day out for as long as it takes to copy what lives.
        sleep: waits between two steps.

    Raises:
        StoreUnavailableError: something is in the way; try again later.
    """
    if store.name == "postgresql":
        for day in days:
            await _vacuum_day(store, day)
        return
    free: int | None = None
    while (size := await measure_store(store)).shrinks and 0 < size.free_bytes != free:
        free = size.free_bytes
        await store.run_alone(f"PRAGMA incremental_vacuum({_PAGES})", seconds=_VACUUM_SECONDS)
        await sleep(PAUSE_SECONDS)
    # The file itself shrinks when the log is written into it.
    await store.run_alone("PRAGMA wal_checkpoint(PASSIVE)", seconds=_VACUUM_SECONDS)


async def rewrite_file(store: Store) -> None:
    """Write a SQLite file anew, without what is free, and so that it can shrink by itself from now on.

    Raises:
        StoreUnavailableError: the disk has not the room, or somebody reads.
    """
    await store.run_alone("PRAGMA auto_vacuum = INCREMENTAL", seconds=_VACUUM_SECONDS)
    await store.run_alone("VACUUM", seconds=_VACUUM_SECONDS)
    await store.run_alone("PRAGMA wal_checkpoint(TRUNCATE)", seconds=_VACUUM_SECONDS)


async def _vacuum_day(store: Store, day: date) -> None:
    name = "events_quarantine" if day == QUARANTINE_DAY else f"events_{day:%Y%m%d}"
    alive = await store.read(
        select(
            func.count().label("rows"),
            func.coalesce(func.sum(func.pg_column_size(events.c.doc)), 0).label("bytes"),
        ).where(events.c.occurred_day == day)
    )
    size = await _number(store, text(f"SELECT pg_total_relation_size('faultwire.{name}')"))
    lives = alive[0].rows * ROW_BYTES + alive[0].bytes
    how = " (FULL)" if size > lives * MOSTLY_DEAD and day != QUARANTINE_DAY else ""
    await store.run_alone(f"VACUUM{how} faultwire.{name}", seconds=_VACUUM_SECONDS)


async def _number(store: Store, statement: TextClause) -> int:
    rows = await store.read(statement)
    return int(rows[0][0])
