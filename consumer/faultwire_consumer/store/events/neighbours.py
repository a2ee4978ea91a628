"""The events beside one, in the order in which its incident's events occurred.

Each fingerprint of the incident is entered once by the index on fingerprint and time, however many
events it has; what occurred at one moment is told apart by the id.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, true

from faultwire_consumer.store.contract.prepared import Prepared, prepared
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.bodies import has_body
from faultwire_consumer.store.events.event import StoredEvent
from faultwire_consumer.store.schema.events import events, fingerprints

_ANY: Final = true()


class Neighbour(Struct, frozen=True):
    """An event, as far as a link to it needs to know."""

    id: str
    body_kept: bool
    """True if the event can be read, and is not only counted."""


class Neighbours(Struct, frozen=True, kw_only=True):
    """An incident's events around one of them; None where that one is the last in a direction."""

    first: Neighbour | None
    previous: Neighbour | None
    """The one that occurred just before."""
    next: Neighbour | None
    """The one that occurred just after."""
    last: Neighbour | None


async def neighbours_of(store: StoreReader, event: StoredEvent) -> Neighbours:
    """Find the events beside one, and the first and the last of its incident.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    first, last = [
        await _read(store, _edge_of_all(store.name, is_last=is_last)(event.incident_id))
        for is_last in (False, True)
    ]
    following, previous = [
        await _read(
            store, _edge_beside(store.name, is_last=is_last)(event.incident_id, event.occurred_at, event.id)
        )
        for is_last in (False, True)
    ]
    return Neighbours(first=first, previous=previous, next=following, last=last)


class EventMoment(Struct, frozen=True):
    """An event's place in the order of time."""

    occurred_at: datetime
    id: str


@cache
def _edge_of_all(database: str, *, is_last: bool) -> Callable[[int], Prepared]:
    @prepared
    def select_it(incident_id: int) -> Select[Any]:
        return _with_body(select_edge(database, incident_id, is_last=is_last))

    return select_it


@cache
def _edge_beside(database: str, *, is_last: bool) -> Callable[[int, datetime, str], Prepared]:
    @prepared
    def select_it(incident_id: int, occurred_at: datetime, event_id: str) -> Select[Any]:
        around = EventMoment(occurred_at, event_id)
        return _with_body(select_edge(database, incident_id, is_last=is_last, around=around))

    return select_it


def select_edge(
    database: str, incident_id: int, *, is_last: bool, around: StoredEvent | EventMoment | None = None
) -> Select[Any]:
    """Select the first or the last event of an incident, of all or of those on one side of an event.

    Args:
        database: its name, as the store gives it.
        incident_id: the incident.
        is_last: the last one, of all or before ``around``; else the first one, of all or after it.
        around: the event beside which it is.
    """
    event = events.alias("event")
    of_group = select(event.c.occurred_day, event.c.event_id, event.c.occurred_at).where(
        event.c.fingerprint == fingerprints.c.fingerprint,
        _ANY if around is None else _beside(event, around, is_before=is_last),
    )
    moment, key = (_towards(event.c[name], is_last=is_last) for name in ("occurred_at", "event_id"))
    if database == "postgresql":
        found, joined = _on_postgresql(of_group.order_by(moment))
    else:
        found, joined = _on_sqlite(of_group.order_by(moment, key))
    order = [_towards(found.c[name], is_last=is_last) for name in ("occurred_at", "event_id")]
    return (
        select(found.c.event_id, found.c.occurred_day)
        .select_from(joined)
        .where(fingerprints.c.incident_id == incident_id)
        .order_by(*order)
        .limit(1)
    )


def _towards(column: Any, *, is_last: bool) -> ColumnElement[Any]:
    return column.desc() if is_last else column  # type: ignore[no-any-return]


def _beside(table: Any, event: StoredEvent | EventMoment, *, is_before: bool) -> ColumnElement[bool]:
    """Return the condition of what is before or after an event: an index is entered by a bound, not an OR."""
    at, key = table.c.occurred_at, table.c.event_id
    if is_before:
        return and_(at <= event.occurred_at, or_(at < event.occurred_at, key < event.id))
    return and_(at >= event.occurred_at, or_(at > event.occurred_at, key > event.id))


def _on_postgresql(of_group: Select[Any]) -> tuple[Any, Any]:
    # In the index's own order, with all that occurred at that time: a sort by the id too would read them all.
    found = of_group.fetch(1, with_ties=True).lateral("found")
    return found, fingerprints.join(found, true())


def _on_sqlite(of_group: Select[Any]) -> tuple[Any, Any]:
    # SQLite has no LATERAL; rows are picked by their number instead.
    found = events.alias("found")
    picked: Select[Any] = (
        of_group.with_only_columns(literal_column("event.rowid")).limit(1).correlate(fingerprints)
    )
    return found, fingerprints.join(found, literal_column("found.rowid") == picked.scalar_subquery())


def _with_body(edge: Select[Any]) -> Select[Any]:
    chosen = edge.subquery("chosen")
    same = (events.c.occurred_day == chosen.c.occurred_day, events.c.event_id == chosen.c.event_id)
    return select(events.c.event_id, has_body(events).label("body_kept")).join(chosen, and_(*same))


async def _read(store: StoreReader, edge: Prepared) -> Neighbour | None:
    rows = await store.read(edge)
    return Neighbour(rows[0].event_id, bool(rows[0].body_kept)) if rows else None
