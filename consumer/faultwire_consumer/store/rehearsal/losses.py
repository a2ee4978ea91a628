"""Figures of what a store no longer has of a time: rows that were dropped, incidents that were deleted."""

from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import exists, func, select

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.events import Span
from faultwire_consumer.store.schema.events import events, fingerprints
from faultwire_consumer.store.schema.figures import hourly_totals


class HistoryLosses(Struct, frozen=True):
    """Events of a span that cannot be played."""

    dropped: int
    """Counted in whole hours of the span, and without a row any more."""
    deleted: int
    """Rows whose incidents were deleted."""
    first_at: datetime | None
    """Receipt of the oldest event that the store has at all."""


async def read_losses(store: Store, span: Span) -> HistoryLosses:
    """Compare the counters of a span with the rows that are left of it.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    first, last = _hour(span.start) + timedelta(hours=1), _hour(span.end)
    known = exists().where(fingerprints.c.fingerprint == events.c.fingerprint)
    counted = select(func.coalesce(func.sum(hourly_totals.c.count), 0).label("n")).where(
        hourly_totals.c.hour >= first, hourly_totals.c.hour < last
    )
    # What came late was counted in its hour too, so rows are taken by when they occurred; the index is
    # that of their receipt, and a clock that is ahead is believed for less than an hour.
    rows = select(func.coalesce(func.sum(events.c.count), 0).label("n")).where(
        events.c.received_at >= first - timedelta(hours=1),
        events.c.occurred_at >= first,
        events.c.occurred_at < last,
    )
    orphans = select(func.count().label("n")).select_from(events).where(span.condition, ~known)
    at = events.c.received_at
    oldest = select(func.min(at, type_=at.type).label("at"))
    totals, left, deleted = [(await store.read(one))[0].n for one in (counted, rows, orphans)]
    (found,) = await store.read(oldest)
    return HistoryLosses(max(0, int(totals) - int(left)), int(deleted), found.at)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
