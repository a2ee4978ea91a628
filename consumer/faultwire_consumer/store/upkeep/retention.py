"""Deletion of events, and dropping of days, that are no longer kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, delete, false, func, or_, select

from faultwire_consumer.domain.retention import HOURLY_DAYS, Cut, Floors
from faultwire_consumer.store.contract.store import Store, StoreSlowError
from faultwire_consumer.store.events.search_index import forget_day, forget_events
from faultwire_consumer.store.postgresql.partition import drop_partition, list_partitions
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events
from faultwire_consumer.store.upkeep.give_back_bodies import give_back_bodies
from faultwire_consumer.store.upkeep.space import PAUSE_SECONDS, ROW_BYTES
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failpoint import failpoint

BATCH: Final = {"sqlite": 500, "postgresql": 2000}
"""The rows deleted in one transaction: SQLite's one writer is free again after some tens of milliseconds."""
QUARANTINE_PATIENCE: Final = timedelta(days=HOURLY_DAYS)
"""The longest that a row stays whose day, by a clock that was ahead, is not below the floor yet."""

_STORED_BYTES: Final = {"sqlite": func.length, "postgresql": func.pg_column_size}

ReportDeleted = Callable[[int], None]
"""A callback that gets the number of rows that were just deleted."""
Sleep = Callable[[float], Awaitable[None]]


class Share(Struct, frozen=True, kw_only=True):
    """The rows of one day and severity that a cut removes; the bytes are about right."""

    day: date
    severity: ErrorSeverity
    rows: int
    bytes: int


async def survey_cut(store: Store, cut: Cut) -> list[Share]:
    """Return what a cut removes.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return await _survey(store, cut.day, events.c.severity.in_(cut.ranks))


async def survey_quarantine(store: Store, floors: Floors, *, now: datetime) -> list[Share]:
    """Return what goes from the quarantine below these floors.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return await _survey(store, QUARANTINE_DAY, quarantined_below(floors, now=now))


async def _survey(store: Store, day: date, condition: ColumnElement[bool]) -> list[Share]:
    size = func.sum(func.coalesce(_STORED_BYTES[store.name](events.c.doc), 0) + ROW_BYTES)
    rows = await store.read(
        select(events.c.severity, func.count().label("rows"), size.label("bytes"))
        .where(events.c.occurred_day == day, condition)
        .group_by(events.c.severity)
        .order_by(events.c.severity)
    )
    return [
        Share(day=day, severity=ErrorSeverity.from_rank(row.severity), rows=row.rows, bytes=int(row.bytes))
        for row in rows
    ]


def quarantined_below(floors: Floors, *, now: datetime) -> ColumnElement[bool]:
    """Return the condition of the quarantine's rows that go: received before the floor, of a day below it.

    An event of a day that is not below its floor is accepted, so its row has to stay for a redelivery
    to be recognised. Ids begin with their day, so they sort by it.
    """
    table = events.c
    by_severity = [
        and_(
            table.severity == severity.rank,
            table.received_at < datetime.combine(floor, time(), UTC),
            or_(table.event_id < f"error_{floor:%Y%m%d}_", table.received_at < now - QUARANTINE_PATIENCE),
        )
        for severity, floor in floors.items()
    ]
    return or_(false(), *by_severity)


async def make_cut(
    store: Store, cut: Cut, *, report: ReportDeleted = lambda _: None, sleep: Sleep = asyncio.sleep
) -> list[Share]:
    """Drop a day, or delete those severities of it, and return what was deleted.

    A day that takes PostgreSQL longer to count than a statement may take goes uncounted.

    Raises:
        StoreUnavailableError: something is in the way; rows that were deleted stay deleted.
    """
    try:
        shares = await survey_cut(store, cut)
    except StoreSlowError:
        shares = []
    await give_back_bodies(store, cut.day, events.c.severity.in_(cut.ranks))
    if store.name == "postgresql" and cut.is_whole:
        for partition in await list_partitions(store):
            if partition.day == cut.day:
                await drop_partition(store, partition)
        await forget_day(store, cut.day, sleep=sleep)
        report(sum(share.rows for share in shares))
    else:
        await _delete(store, cut.day, events.c.severity.in_(cut.ranks), report=report, sleep=sleep)
    return shares


async def clear_quarantine(
    store: Store,
    floors: Floors,
    *,
    now: datetime,
    report: ReportDeleted = lambda _: None,
    sleep: Sleep = asyncio.sleep,
) -> list[Share]:
    """Delete what goes from the quarantine below these floors, and return it.

    Raises:
        StoreUnavailableError: something is in the way; rows that were deleted stay deleted.
    """
    shares = await survey_quarantine(store, floors, now=now)
    if shares:
        await give_back_bodies(store, QUARANTINE_DAY, quarantined_below(floors, now=now))
        await _delete(store, QUARANTINE_DAY, quarantined_below(floors, now=now), report=report, sleep=sleep)
    return shares


async def oldest_in_quarantine(store: Store) -> datetime | None:
    """Return the time when the first of the quarantine's events was received.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(
        select(func.min(events.c.received_at).label("at")).where(events.c.occurred_day == QUARANTINE_DAY)
    )
    oldest: datetime | None = rows[0].at
    return oldest


async def _delete(
    store: Store, day: date, condition: ColumnElement[bool], *, report: ReportDeleted, sleep: Sleep
) -> None:
    """Delete in batches along the key, which a reader finds, so that writers wait for one batch at most."""
    table, after = events.c, ""
    while True:
        rows = await store.read(
            select(table.event_id)
            .where(table.occurred_day == day, table.event_id > after, condition)
            .order_by(table.event_id)
            .limit(BATCH[store.name])
        )
        if not rows:
            return
        ids = [row.event_id for row in rows]
        async with store.write() as tx:
            await tx.execute(delete(events).where(table.occurred_day == day, table.event_id.in_(ids)))
            await forget_events(tx, day, ids)
        failpoint("prune.deleting")
        after = ids[-1]
        report(len(ids))
        await sleep(PAUSE_SECONDS)


def sum_up(shares: Sequence[Share]) -> Mapping[ErrorSeverity, int]:
    """Return the number of rows by severity."""
    rows: dict[ErrorSeverity, int] = {}
    for share in shares:
        rows[share.severity] = rows.get(share.severity, 0) + share.rows
    return rows
