"""Queries of the maintenance chore for gaps: those to report, and incidents that may be resolved."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, func, or_, select, update

from faultwire_consumer.domain.incident import WORKER, NotPossible, Status, Verb, decide
from faultwire_consumer.domain.sequence import GapState
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_consumer.store.schema.events import producers, sequence_gaps

SPOOL_PATIENCE: Final = timedelta(minutes=5)
"""The time after a report of a non-empty spool in which missing events may still be there."""
_BATCH: Final = 100


class DueGap(Struct, frozen=True, kw_only=True):
    """A gap for which operators have no incident yet."""

    producer_id: str
    service: str
    host: str
    first: int
    last: int
    opened_at: datetime


async def list_due_gaps(store: Store, *, opened_before: datetime, now: datetime) -> Sequence[DueGap]:
    """List open gaps that are older than the bound, the oldest first."""
    gap, producer = sequence_gaps.c, producers.c
    no_spool = or_(producer.spool_depth == 0, producer.last_report_at <= now - SPOOL_PATIENCE)
    rows = await store.read(
        select(gap.producer_id, producer.service, producer.host, gap.first, gap.last, gap.opened_at)
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
    """List each producer with reported gaps, with the incident of the report."""
    gap = sequence_gaps.c
    rows = await store.read(
        select(gap.producer_id, func.max(gap.event_id).label("event_id"))
        .where(gap.event_id.is_not(None))
        .group_by(gap.producer_id)
        .order_by(gap.producer_id)
    )
    reported = [(row.producer_id, await get_event(store, row.event_id)) for row in rows]
    return [(producer_id, event.incident_id) for producer_id, event in reported if event is not None]


async def resolve_if_closed(store: Store, producer_id: str, incident_id: int, *, now: datetime) -> bool:
    """Resolve a producer's incident if none of the gaps that the incident reports is still open."""
    async with store.write() as tx:
        incident = await load_incident_state(tx, incident_id)  # an incident's lock comes before a producer's
        await _lock_producer(tx, producer_id)
        gap = sequence_gaps.c
        reported = and_(gap.producer_id == producer_id, gap.event_id.is_not(None))
        states = await tx.execute(select(gap.state).where(reported).distinct())
        if not states or any(row.state == GapState.OPEN.value for row in states):
            return False
        await tx.execute(update(sequence_gaps).where(reported).values(event_id=None))
        if incident is None or incident.status is Status.RESOLVED:
            return False
        decision = decide(
            Verb.RESOLVE,
            incident_id=incident_id,
            status=incident.status,
            episode=incident.episode,
            actor=WORKER,
            now=now,
        )
        if decision is None or isinstance(decision, NotPossible):
            return False
        await apply_transitions(tx, [decision])
    return True


async def count_missing(store: Store, *, opened_before: datetime) -> int:
    """Count events that have been missing for longer than the bound, and that no producer explains."""
    gap = sequence_gaps.c
    rows = await store.read(
        select(func.coalesce(func.sum(gap.last - gap.first + 1), 0).label("events")).where(
            gap.state == GapState.OPEN.value, gap.opened_at <= opened_before
        )
    )
    return int(rows[0].events)


async def _lock_producer(tx: Transaction, producer_id: str) -> None:
    table = producers.c
    await tx.execute(select(table.producer_id).where(table.producer_id == producer_id).with_for_update())
