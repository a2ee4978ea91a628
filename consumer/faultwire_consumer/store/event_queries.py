"""What operators read of events: lists, one by its id, and why an event is where it is."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, select

from faultwire_consumer.store.contract import Store
from faultwire_consumer.store.paging import Page, cut, decode_cursor, older_than
from faultwire_consumer.store.row import values_of
from faultwire_consumer.store.schema import QUARANTINE_DAY, events, fingerprints, incidents
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import day_of


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events; within a field any of the values will do, and an empty field takes all."""

    service: tuple[str, ...] = ()
    severity: tuple[ErrorSeverity, ...] = ()
    environment: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    incident: int | None = None
    since: datetime | None = None
    """Occurred at or after it."""
    until: datetime | None = None
    """Occurred at or before it."""


class EventSummary(Struct, frozen=True, kw_only=True):
    """An event as lists show it: its row without its body."""

    id: str
    incident_id: int
    title: str
    occurred_at: datetime
    received_at: datetime
    severity: ErrorSeverity
    service: str
    environment: str
    release: str | None
    count: int


class StoredEvent(Struct, frozen=True, kw_only=True):
    """One event with the JSON it came as, which is None where only the row was kept."""

    id: str
    incident_id: int
    occurred_at: datetime
    received_at: datetime
    doc: bytes | None


class Grouping(Struct, frozen=True, kw_only=True):
    """Why an event is in its incident: the key parts of its fingerprint, in their order."""

    event_id: str
    incident_id: int
    version: int
    fingerprint: str
    parts: tuple[str, ...]


_GROUPED: Final = events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)


async def list_events(
    store: Store, wanted: EventFilter, *, limit: int, cursor: str | None = None
) -> Page[EventSummary]:
    """Events that match: those of one incident by when they occurred, others by when they came.

    Both orders run from the newest to the oldest, and each has an index.

    Raises:
        BadCursorError: the cursor is none of this list.
    """
    name = "received_at" if wanted.incident is None else "occurred_at"
    statement = _summaries().where(*event_conditions(wanted))
    if cursor is not None:
        position = decode_cursor(name, cursor, str)
        statement = statement.where(older_than(position, events.c[name], events.c.event_id))
    rows = await store.read(
        statement.order_by(events.c[name].desc(), events.c.event_id.desc()).limit(limit + 1)
    )
    found = [_summary(row) for row in rows]
    return cut(found, limit=limit, listing=name, moment=name, key="id")


async def get_event(store: Store, event_id: str) -> StoredEvent | None:
    """One event by its id, which also says the day to look in; a wrong clock's are in quarantine."""
    columns = (events.c.occurred_at, events.c.received_at, events.c.doc, fingerprints.c.incident_id)
    row = await _find(store, event_id, *columns)
    return StoredEvent(id=event_id, **values_of(row)) if row is not None else None


async def get_grouping(store: Store, event_id: str) -> Grouping | None:
    """Why an event is in its incident."""
    names = ("incident_id", "version", "digest", "parts")
    row = await _find(store, event_id, *(fingerprints.c[name] for name in names))
    if row is None:
        return None
    return Grouping(
        event_id=event_id,
        incident_id=row.incident_id,
        version=row.version,
        fingerprint=row.digest.hex(),
        parts=tuple(json.loads(row.parts)),
    )


async def _find(store: Store, event_id: str, *columns: ColumnElement[Any]) -> Row[Any] | None:
    try:
        days = (day_of(event_id), QUARANTINE_DAY)
    except ValueError:
        return None
    rows = await store.read(
        select(*columns)
        .select_from(_GROUPED)
        .where(events.c.occurred_day.in_(days), events.c.event_id == event_id)
        .order_by(events.c.occurred_day.desc())
        .limit(1)
    )
    return rows[0] if rows else None


def _summaries() -> Select[Any]:
    return select(
        events.c.event_id.label("id"),
        fingerprints.c.incident_id,
        incidents.c.title,
        *(events.c[name] for name in EventSummary.__struct_fields__[3:]),
    ).select_from(_GROUPED.join(incidents, incidents.c.id == fingerprints.c.incident_id))


def event_conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    """What an event's row must be to match."""
    table = events.c
    choices: tuple[tuple[ColumnElement[Any], Sequence[Any]], ...] = (
        (table.service, wanted.service),
        (table.severity, tuple(severity.rank for severity in wanted.severity)),
        (table.environment, wanted.environment),
        (table.release, wanted.release),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in choices if values]
    if wanted.incident is not None:
        of_incident = select(fingerprints.c.fingerprint).where(fingerprints.c.incident_id == wanted.incident)
        conditions.append(table.fingerprint.in_(of_incident))
    if wanted.since is not None:
        # Nothing is received before it occurred, and received_at is what the list's index is on.
        conditions += [table.occurred_at >= wanted.since, table.received_at >= wanted.since]
    if wanted.until is not None:
        conditions.append(table.occurred_at <= wanted.until)
    return conditions


def _summary(row: Row[Any]) -> EventSummary:
    values = values_of(row)
    values["severity"] = ErrorSeverity.from_rank(values["severity"])
    return EventSummary(**values)
