"""Stored events in the batches in which they were committed, with what is left of those without a body."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, func, literal, literal_column, or_, select

from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.bodies import body_in, doc_of
from faultwire_consumer.store.schema.events import edge_bodies, events, fingerprints, incidents

PIECE_ROWS: Final = 200
"""Rows of one query, as of an export: each may bring a body of 256 KiB."""
_NAMES: Final = (
    *("event_id", "fingerprint", "occurred_at", "received_at", "severity", "service", "environment"),
    *("release", "count", "producer_id", "sequence"),
)


class Span(Struct, frozen=True):
    """A time of receipt: from its beginning, up to its end and without it."""

    start: datetime
    end: datetime

    @property
    def condition(self) -> ColumnElement[bool]:
        """The condition that an event was received in it."""
        return and_(events.c.received_at >= self.start, events.c.received_at < self.end)


class KeptEvent(Struct, frozen=True, kw_only=True):
    """An event as far as it is kept, with what is known of its incident."""

    event_id: str
    fingerprint: bytes
    occurred_at: datetime
    received_at: datetime
    severity: int
    """Its rank, 1 to 4."""
    service: str
    environment: str
    release: str | None
    count: int
    producer_id: str | None
    sequence: int | None
    doc: bytes | None
    title: str
    category: str
    code: str
    place: int
    """Its place among those of one time: the order of insertion on SQLite, none on PostgreSQL."""


async def read_batches(store: Store, span: Span) -> AsyncIterator[Sequence[KeptEvent]]:
    """Read events of known incidents, those together that were received at one moment.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    batch: list[KeptEvent] = []
    async for event in _read_events(store, span):
        if batch and event.received_at != batch[0].received_at:
            yield _in_order(batch)
            batch = []
        batch.append(event)
    if batch:
        yield _in_order(batch)


def _in_order(batch: Sequence[KeptEvent]) -> Sequence[KeptEvent]:
    return sorted(batch, key=lambda one: (one.place, one.event_id))


async def _read_events(store: Store, span: Span) -> AsyncIterator[KeptEvent]:
    chosen, after = _select(store.name, span), list[ColumnElement[bool]]()
    while True:
        rows = await store.read(chosen.where(*after))
        for row in rows:
            yield KeptEvent(**values_of(row))
        if len(rows) < PIECE_ROWS:
            return
        moment, key = events.c.received_at, events.c.event_id
        last = rows[-1]
        follows = or_(moment > last.received_at, and_(moment == last.received_at, key > last.event_id))
        after = [moment >= last.received_at, follows]


def _select(database: str, span: Span) -> Select[Any]:
    place = literal_column("events.rowid") if database == "sqlite" else literal(0)
    grouped = events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)
    return (
        select(
            *(events.c[name] for name in _NAMES),
            doc_of(events).label("doc"),
            incidents.c.title,
            incidents.c.category,
            incidents.c.code,
            place.label("place"),
        )
        .select_from(grouped.join(incidents, incidents.c.id == fingerprints.c.incident_id))
        .where(span.condition)
        .order_by(events.c.received_at, events.c.event_id)
        .limit(PIECE_ROWS)
    )


async def count_events(store: Store, span: Span) -> int:
    """Count the events that were received in a span, whether or not their incidents still exist."""
    (row,) = await store.read(select(func.count().label("n")).select_from(events).where(span.condition))
    return int(row.n)


async def find_start(store: Store, span: Span, *, most: int) -> datetime | None:
    """Return when the oldest of a span's last so many events was received; None if it has no more."""
    moments = select(events.c.received_at).where(span.condition).order_by(events.c.received_at.desc())
    rows = await store.read(moments.offset(most - 1).limit(2))
    return rows[0].received_at if len(rows) > 1 else None


async def read_example(store: Store, fingerprint: bytes) -> bytes | None:
    """Read the body of any event of a fingerprint: most of what rules ask for is the same in all of them."""
    kept = select(body_in(events)).where(events.c.fingerprint == fingerprint, events.c.doc.is_not(None))
    edge = select(body_in(edge_bodies)).where(edge_bodies.c.fingerprint == fingerprint)
    for statement in (edge, kept):
        rows = await store.read(statement.limit(1))
        if rows:
            return bytes(rows[0].doc)
    return None
