"""One event as operators read it, by its id, with its grouping."""

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, or_, select

from faultwire_consumer.store.contract.prepared import Prepared, prepared
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.bodies import doc_of, has_body
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events, fingerprints
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import day_of


class StoredEvent(Struct, frozen=True, kw_only=True):
    """One event with the JSON that was received, which is None if only the row was kept."""

    id: str
    incident_id: int
    fingerprint: bytes
    occurred_at: datetime
    received_at: datetime
    severity: ErrorSeverity
    service: str
    environment: str
    release: str | None
    count: int
    doc: bytes | None


class ReadableEvents(Struct, frozen=True, kw_only=True):
    """Events of the same fingerprint that can be read instead of one whose body was not kept."""

    first: str | None
    last: str | None
    nearest: str | None
    """The event closest in time of occurrence."""


class EventGrouping(Struct, frozen=True, kw_only=True):
    """The reason why an event is in its incident: the key parts of its fingerprint, in their order."""

    event_id: str
    incident_id: int
    version: int
    fingerprint: str
    parts: tuple[str, ...]


_GROUPED: Final = events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)

NEAR: Final = 5_000
"""The number of events searched for a body: outside a flood, more than lie between two with bodies."""


async def get_event(store: StoreReader, event_id: str) -> StoredEvent | None:
    """Return an event by its id, which also names its day; events of wrong clocks are in quarantine."""
    row = await _find(store, _select_event, event_id)
    if row is None:
        return None
    values = values_of(row)
    values["severity"] = ErrorSeverity.from_rank(values["severity"])
    return StoredEvent(id=event_id, **values)


async def find_readable(store: StoreReader, event: StoredEvent) -> ReadableEvents:
    """Find events that can be read instead of one whose body is not kept."""
    at = events.c.occurred_at
    first = await _next_readable(store, event)
    last = await _next_readable(store, event, back=True)
    before = await _next_readable(store, event, at <= event.occurred_at, back=True)
    after = await _next_readable(store, event, at >= event.occurred_at)
    neighbours = [row for row in (before, after) if row is not None]
    nearest = min(neighbours, key=lambda row: abs(row.occurred_at - event.occurred_at), default=None)
    return ReadableEvents(
        first=first.event_id if first else None,
        last=last.event_id if last else None,
        nearest=nearest.event_id if nearest else None,
    )


async def _next_readable(
    store: StoreReader, event: StoredEvent, *conditions: ColumnElement[bool], back: bool = False
) -> Row[Any] | None:
    """Return the first event with a body, in the order of time or backwards."""
    at = events.c.occurred_at
    near = (
        select(events.c.event_id, at, has_body(events).label("body_kept"))
        .where(events.c.fingerprint == event.fingerprint, *conditions)
        .order_by(at.desc() if back else at)
        .limit(NEAR)
        .subquery()
    )
    order = near.c.occurred_at.desc() if back else near.c.occurred_at
    rows = await store.read(
        select(near.c.event_id, near.c.occurred_at).where(near.c.body_kept).order_by(order).limit(1)
    )
    return rows[0] if rows else None


async def get_grouping(store: StoreReader, event_id: str) -> EventGrouping | None:
    """Return the reason why an event is in its incident."""
    row = await _find(store, _select_grouping, event_id)
    if row is None:
        return None
    return EventGrouping(
        event_id=event_id,
        incident_id=row.incident_id,
        version=row.version,
        fingerprint=row.digest.hex(),
        parts=tuple(json.loads(row.parts)),
    )


async def _find(
    store: StoreReader, select_found: Callable[[str, date, date], Prepared], event_id: str
) -> Row[Any] | None:
    try:
        day = day_of(event_id)
    except ValueError:
        return None
    rows = await store.read(select_found(event_id, day, QUARANTINE_DAY))
    return rows[0] if rows else None


@prepared
def _select_event(event_id: str, day: date, quarantine: date) -> Select[Any]:
    names = [name for name in StoredEvent.__struct_fields__ if name not in ("id", "incident_id", "doc")]
    columns = (*(events.c[name] for name in names), fingerprints.c.incident_id, doc_of(events).label("doc"))
    return _by_id(event_id, day, quarantine).with_only_columns(*columns)


@prepared
def _select_grouping(event_id: str, day: date, quarantine: date) -> Select[Any]:
    columns = [fingerprints.c[name] for name in ("incident_id", "version", "digest", "parts")]
    return _by_id(event_id, day, quarantine).with_only_columns(*columns)


def _by_id(event_id: str, day: date, quarantine: date) -> Select[Any]:
    return (
        select(events.c.event_id)
        .select_from(_GROUPED)
        .where(or_(events.c.occurred_day == day, events.c.occurred_day == quarantine))
        .where(events.c.event_id == event_id)
        .order_by(events.c.occurred_day.desc())
        .limit(1)
    )
