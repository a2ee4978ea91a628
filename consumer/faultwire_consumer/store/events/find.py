"""An id of any kind, as somebody pastes it: an event's, an incident's, a trace's, a user's."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name, parse_incident_id
from faultwire_consumer.domain.query.query import Key, Query, any_of, print_query
from faultwire_consumer.domain.searched import VALUE_CHARACTERS
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import get_grouping
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.incidents import get_incident
from faultwire_consumer.store.events.merging import find_holder

EVENTS_NAMED: Final = 10
"""The newest events of a trace or user that are named."""


class FoundKind(StrEnum):
    """The kind of a thing that has an id; of several, the first of these."""

    EVENT = "event"
    INCIDENT = "incident"
    TRACE = "trace"
    USER = "user"


class FoundId(Struct, frozen=True, kw_only=True):
    """The thing that has an id."""

    kind: FoundKind
    id: str
    incidents: tuple[str, ...]
    """The incident, or those of the events."""
    events: tuple[str, ...] = ()
    """The event, or the newest of the trace or user."""
    query: str | None = None
    """A query for all events of the trace or user."""


async def find_id(store: Store, text: str, *, now: datetime) -> FoundId | None:
    """Find what has this id; a number alone is an incident's, if there is one.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    text = text.strip()
    return (
        await _find_event(store, text)
        or await _find_incident(store, text)
        or await _find_said(store, FoundKind.TRACE, Key.TRACE, text.lower(), now=now)
        or await _find_said(store, FoundKind.USER, Key.USER, text, now=now)
    )


async def find_place(store: Store, text: str) -> FoundId | None:
    """Find the event or incident that a text names in full, as a page's search box is given it.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    text = text.strip()
    if text.isdigit():
        return None  # which may be searched for as a text
    return await _find_event(store, text) or await _find_incident(store, text)


async def _find_event(store: Store, text: str) -> FoundId | None:
    grouping = await get_grouping(store, text)
    if grouping is None:
        return None
    of = (incident_name(grouping.incident_id),)
    return FoundId(kind=FoundKind.EVENT, id=text, incidents=of, events=(text,))


async def _find_incident(store: Store, text: str) -> FoundId | None:
    number = parse_incident_id(text)
    if number is None:
        return None
    number = await find_holder(store, number) or number
    if await get_incident(store, number) is None:
        return None
    name = incident_name(number)
    return FoundId(kind=FoundKind.INCIDENT, id=name, incidents=(name,))


async def _find_said(store: Store, kind: FoundKind, key: Key, text: str, *, now: datetime) -> FoundId | None:
    value = text[:VALUE_CHARACTERS]
    query: Query = any_of(key, [value])
    page = await list_events(store, query, limit=EVENTS_NAMED, now=now)
    if not page.rows:
        return None
    return FoundId(
        kind=kind,
        id=value,
        incidents=_each_once([incident_name(row.incident_id) for row in page.rows]),
        events=tuple(row.id for row in page.rows),
        query=print_query(query),
    )


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
