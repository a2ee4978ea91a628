"""What operators read of one event, by its id: what it is, and why it is where it is."""

import json
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, select

from faultwire_consumer.store.contract import Store
from faultwire_consumer.store.row import values_of
from faultwire_consumer.store.schema import QUARANTINE_DAY, events, fingerprints
from faultwire_shared.event_id import day_of


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
