"""Queries of the maintenance chore for gaps: those to report, and incidents that may be resolved."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, case, func, or_, select, update

from faultwire_consumer.domain.incident import WORKER, NotPossible, Status
from faultwire_consumer.domain.lifecycle.arguments import ResolveArguments
from faultwire_consumer.domain.lifecycle.decision import Act, decide
from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_consumer.store.schema.events import (
    QUARANTINE_DAY,
    events,
    fingerprints,
    producers,
    sequence_gaps,
)

OWN_SERVICE: Final = "faultwire"
"""The service of the worker's own events, gaps' among them."""
SPOOL_PATIENCE: Final = timedelta(minutes=5)
"""The time after a report of a non-empty spool in which missing events may still be there."""
_BATCH: Final = 100
_OPENED_MOST: Final = 10_000


class DueGap(Struct, frozen=True, kw_only=True):
    """A gap for which operators have no incident yet."""

    producer_id: str
    service: str
    host: str
    first: int
    last: int
    opened_at: datetime
    has_reported: bool
    """The producer has reported itself once, as our client's do."""


async def list_due_gaps(store: Store, *, opened_before: datetime, now: datetime) -> Sequence[DueGap]:
    """List open gaps that are older than the bound, the oldest first."""
    gap, producer = sequence_gaps.c, producers.c
    no_spool = or_(producer.spool_depth == 0, producer.last_report_at <= now - SPOOL_PATIENCE)
    rows = await store.read(
        select(
            gap.producer_id,
            producer.service,
            producer.host,
            gap.first,
            gap.last,
            gap.opened_at,
            producer.last_report_at.is_not(None).label("has_reported"),
        )
        .join_from(sequence_gaps, producers, gap.producer_id == producer.producer_id)
        .where(
            gap.state == GapState.OPEN.value,
            gap.event_id.is_(None),
            gap.opened_at <= opened_before,
            no_spool,
        )
        .order_by(gap.opened_at, gap.id)
        .limit(_BATCH)
    )
    return [DueGap(**values_of(row)) for row in rows]


async def list_crowded(store: Store, *, opened_before: datetime, more_than: int) -> frozenset[str]:
    """List services of which more than so many producers that never reported have open gaps.

    Our client's producers report themselves. Of others, anybody can invent as many as there are ids.
    """
    gap, producer = sequence_gaps.c, producers.c
    rows = await store.read(
        select(producer.service)
        .join_from(sequence_gaps, producers, gap.producer_id == producer.producer_id)
        .where(
            gap.state == GapState.OPEN.value,
            gap.opened_at <= opened_before,
            producer.last_report_at.is_(None),
        )
        .group_by(producer.service)
        .having(func.count(gap.producer_id.distinct()) > more_than)
    )
    return frozenset(row.service for row in rows)


async def list_opened(store: Store) -> Sequence[tuple[datetime, str]]:
    """List when open gaps were opened, and whose, the newest 10,000 in the order of time.

    Only of producers that report themselves: an invented crowd makes nobody's loss a common one.
    """
    gap, producer = sequence_gaps.c, producers.c
    rows = await store.read(
        select(gap.opened_at, gap.producer_id)
        .join_from(sequence_gaps, producers, gap.producer_id == producer.producer_id)
        .where(gap.state == GapState.OPEN.value, producer.last_report_at.is_not(None))
        .order_by(gap.opened_at.desc(), gap.id.desc())
        .limit(_OPENED_MOST)
    )
    return [(row.opened_at, row.producer_id) for row in reversed(rows)]


async def newest_before(store: Store, at: datetime) -> datetime | None:
    """Return when the newest event came that a service sent before a time; None if there is none."""
    rows = await store.read(
        select(events.c.received_at)
        .where(events.c.received_at < at, events.c.service != OWN_SERVICE)
        .order_by(events.c.received_at.desc())
        .limit(1)
    )
    return rows[0].received_at if rows else None


async def record_gap_event(store: Store, gap: DueGap, event_id: str, *, now: datetime) -> None:
    """Record the event that reported a gap in all its remaining parts, or in a filled row if none is left."""
    async with store.write() as tx:
        await _lock_producer(tx, gap.producer_id)
        table = sequence_gaps.c
        parts = and_(
            table.producer_id == gap.producer_id,
            table.first >= gap.first,
            table.last <= gap.last,
            table.event_id.is_(None),
            table.state != GapState.FILLED.value,
        )
        left = await tx.execute(select(table.id).where(parts))
        if left:
            await tx.execute(update(sequence_gaps).where(parts).values(event_id=event_id))
            return
        # It closed while it was being reported: the incident has to be resolved all the same.
        await tx.execute(
            sequence_gaps.insert().values(
                producer_id=gap.producer_id,
                first=gap.first,
                last=gap.last,
                opened_at=gap.opened_at,
                closed_at=now,
                state=GapState.FILLED.value,
                event_id=event_id,
            )
        )


async def list_gap_incidents(store: Store) -> Sequence[tuple[str, int]]:
    """List each producer whose reported gaps are all closed, with the incident of the report."""
    gap = sequence_gaps.c
    is_open = case((gap.state == GapState.OPEN.value, 1), else_=0)
    rows = await store.read(
        select(gap.producer_id, func.max(gap.event_id).label("event_id"))
        .where(gap.event_id.is_not(None))
        .group_by(gap.producer_id)
        .having(func.sum(is_open) == 0)
        .order_by(gap.producer_id)
        .limit(_BATCH)
    )
    reported = [(row.producer_id, await get_event(store, row.event_id)) for row in rows]
    return [(producer_id, event.incident_id) for producer_id, event in reported if event is not None]


async def resolve_if_closed(store: Store, producer_id: str, incident_id: int, *, now: datetime) -> bool:
    """Resolve an incident of a producer's gaps if none that it reports is still open, of any producer."""
    async with store.write() as tx:
        incident = await load_incident_state(tx, incident_id)  # an incident's lock comes before a producer's
        await _lock_producer(tx, producer_id)
        gap = sequence_gaps.c
        reported = and_(gap.producer_id == producer_id, gap.event_id.is_not(None))
        states = await tx.execute(select(gap.state).where(reported).distinct())
        if not states or any(row.state == GapState.OPEN.value for row in states):
            return False
        await tx.execute(update(sequence_gaps).where(reported).values(event_id=None))
        if incident is None or incident.status is Status.RESOLVED or await _reports_others(tx, incident_id):
            return False
        decision = decide(Act(arguments=ResolveArguments(), actor=WORKER, at=now), incident)
        if decision is None or isinstance(decision, NotPossible):
            return False
        await apply_transitions(tx, [decision])
    return True


async def _reports_others(tx: Transaction, incident_id: int) -> bool:
    """Return True if the incident still reports open gaps, as one of many producers may."""
    gap = sequence_gaps.c
    still_open = and_(gap.state == GapState.OPEN.value, gap.event_id.is_not(None))
    # The day is in the id; with it, PostgreSQL opens those partitions alone.
    days = await tx.execute(select(func.substr(gap.event_id, 7, 8).label("day")).where(still_open).distinct())
    if not days:
        return False
    of_incident = select(fingerprints.c.fingerprint).where(fingerprints.c.incident_id == incident_id)
    rows = await tx.execute(
        select(events.c.event_id)
        .where(
            events.c.occurred_day.in_(
                [QUARANTINE_DAY, *(datetime.strptime(row.day, "%Y%m%d").date() for row in days)]  # noqa: DTZ007 - a day has no zone
            ),
            events.c.event_id.in_(select(gap.event_id).where(still_open)),
            events.c.fingerprint.in_(of_incident),
        )
        .limit(1)
    )
    return bool(rows)


async def count_missing(store: Store, *, opened_before: datetime) -> int:
    """Count events that have been missing for longer than the bound, and that no producer explains."""
    gap = sequence_gaps.c
    # SQLite's sum of integers has an end, which numbers that were made up reach; its total has none.
    add_up = func.total if store.name == "sqlite" else func.sum
    rows = await store.read(
        select(func.coalesce(add_up(gap.last - gap.first + 1), 0).label("events")).where(
            gap.state == GapState.OPEN.value, gap.opened_at <= opened_before
        )
    )
    return int(rows[0].events)


async def _lock_producer(tx: Transaction, producer_id: str) -> None:
    table = producers.c
    await tx.execute(select(table.producer_id).where(table.producer_id == producer_id).with_for_update())
