"""Everything that an incident's page shows, read from the store one by one on one connection."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.domain.release_order import FirstSights
from faultwire_consumer.domain.searched import VALUE_CHARACTERS
from faultwire_consumer.store.access.accounts import list_accounts
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.contract.store import Store, StoreReader
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import EventSummary, list_events
from faultwire_consumer.store.events.figures.reading import IncidentFigures, read_figures
from faultwire_consumer.store.events.messages import EventSaid, read_said
from faultwire_consumer.store.events.neighbours import Neighbours, neighbours_of
from faultwire_consumer.store.events.people import PeopleNamed, list_people
from faultwire_consumer.store.events.position import EventPlace, Listed, neighbours_in_list, place_of
from faultwire_consumer.store.events.release_sights import read_newest_sights
from faultwire_consumer.store.outbox.queries import NotificationFilter, StoredNotification, list_notifications
from faultwire_consumer.web.kept import decoded
from faultwire_consumer.web.page.chart import first_step
from faultwire_consumer.web.page.incident.asked import EventSearch, PageAsked, search_events
from faultwire_consumer.web.page.listed import USUAL
from faultwire_shared.event import Event
from faultwire_shared.text import storable

ROWS: Final = 20
"""Events of a page of the table."""
HISTORY: Final = 100
NOTIFICATIONS: Final = 50
PEOPLE: Final = 200
"""Accounts that are offered to assign an incident to."""
_NEWEST: Final = 5
"""The newest events among which one that can be read is looked for; the last one's body is always kept."""
_SIMILAR: Final = 6
_NO_EVENTS: Final[Page[EventSummary]] = Page((), None)


class ShownEvent(Struct, frozen=True, kw_only=True):
    """The event that the page shows, and what stands around it."""

    stored: event_queries.StoredEvent
    event: Event | None
    """None where its body is not kept, or no version that is known here."""
    readable: event_queries.ReadableEvents | None
    """Of an event without a body: those that can be read instead."""
    neighbours: Neighbours
    place: EventPlace
    grouping: event_queries.EventGrouping | None
    similar: tuple[incidents.Incident, ...]
    """Other incidents of the service with an exception of the same type, the last seen first."""


class PageMaterial(Struct, frozen=True, kw_only=True):
    """An incident with all that its page shows of it."""

    incident: incidents.Incident
    shown: ShownEvent | None
    """None where retention took every event."""
    search: EventSearch
    rows: Page[EventSummary]
    said: Mapping[str, EventSaid]
    history: tuple[incidents.HistoryEntry, ...]
    figures: IncidentFigures
    hours: Mapping[datetime, int]
    told: tuple[StoredNotification, ...]
    more_told: bool
    people: PeopleNamed
    merged: tuple[int, ...]
    sights: FirstSights
    """First sights of the service's last releases."""
    listed: Listed
    accounts: tuple[str, ...]


async def read_material(
    store: Store,
    incident: incidents.Incident,
    asked: PageAsked,
    *,
    stored: event_queries.StoredEvent | None,
    now: datetime,
) -> PageMaterial:
    """Read everything; where no event of it is asked for, the newest that can be read is shown.

    Raises:
        BadCursorError: the cursor does not belong to the incident's events.
        StoreUnavailableError: the database cannot be used now.
    """
    search = search_events(incident.id, asked.query)
    since = first_step(now, steps=asked.span.steps, hours=asked.span.hours)
    came_from = asked.list_before or USUAL
    async with store.reading() as reader:
        shown, rows, said = await _read_events(
            reader, incident, search, cursor=asked.cursor, stored=stored, now=now
        )
        told = await list_notifications(reader, NotificationFilter(incident=incident.id), limit=NOTIFICATIONS)
        return PageMaterial(
            incident=incident,
            shown=shown,
            search=search,
            rows=rows,
            said=said,
            history=await incidents.list_history(reader, incident.id, limit=HISTORY),
            figures=await read_figures(reader, incident.id),
            hours=await incidents.count_by_hour(reader, incident.id, since=since),
            told=told.rows,
            more_told=told.next_cursor is not None,
            people=await list_people(reader, incident.id),
            merged=await incidents.list_merged(reader, incident.id),
            sights=await read_newest_sights(reader, incident.service),
            listed=await neighbours_in_list(
                reader, incident.id, came_from.query, order=came_from.order, now=now
            ),
            accounts=await _read_accounts(reader),
        )


async def _read_events(
    store: StoreReader,
    incident: incidents.Incident,
    search: EventSearch,
    *,
    cursor: str | None,
    stored: event_queries.StoredEvent | None,
    now: datetime,
) -> tuple[ShownEvent | None, Page[EventSummary], Mapping[str, EventSaid]]:
    page = _NO_EVENTS
    if search.problem is None:
        page = await list_events(store, search.query, limit=ROWS, now=now, cursor=cursor)
    if stored is None:
        newest = page if cursor is None and len(search.query.terms) == 1 else None
        stored = await _newest_readable(store, incident.id, newest, now=now)
    return await _read_shown(store, stored, now=now), page, await read_said(store, page.rows)


async def _newest_readable(
    store: StoreReader, incident_id: int, page: Page[EventSummary] | None, *, now: datetime
) -> event_queries.StoredEvent | None:
    if page is None:
        own = any_of(Key.INCIDENT, [incident_id])
        page = await list_events(store, own, limit=_NEWEST, now=now)
    chosen = next((row for row in page.rows if row.body_kept), page.rows[0] if page.rows else None)
    return await event_queries.get_event(store, chosen.id) if chosen is not None else None


async def _read_shown(
    store: StoreReader, stored: event_queries.StoredEvent | None, *, now: datetime
) -> ShownEvent | None:
    if stored is None:
        return None
    event = decoded(stored)
    return ShownEvent(
        stored=stored,
        event=event,
        readable=await _read_readable(store, stored),
        neighbours=await neighbours_of(store, stored),
        place=await place_of(store, stored),
        grouping=await event_queries.get_grouping(store, stored.id),
        similar=await _read_similar(store, stored, event, now=now),
    )


async def _read_readable(
    store: StoreReader, stored: event_queries.StoredEvent
) -> event_queries.ReadableEvents | None:
    return await event_queries.find_readable(store, stored) if stored.doc is None else None


async def _read_similar(
    store: StoreReader, stored: event_queries.StoredEvent, event: Event | None, *, now: datetime
) -> tuple[incidents.Incident, ...]:
    if event is None or not event.exceptions or not event.exceptions[0].type:
        return ()
    wanted = similar_to(stored.service, event.exceptions[0].type)
    page = await incidents.list_incidents(store, wanted, limit=_SIMILAR, now=now, order=IncidentOrder.LAST)
    return tuple(row for row in page.rows if row.id != stored.incident_id)


def similar_to(service: str, kind: str) -> Query:
    """Return the query for a service's incidents with an exception of this type."""
    return any_of(Key.SERVICE, [service]) + any_of(Key.TYPE, [storable(kind)[:VALUE_CHARACTERS]])


async def _read_accounts(store: StoreReader) -> tuple[str, ...]:
    accounts = await list_accounts(store)
    return tuple(account.name for account in accounts if account.disabled_at is None)[:PEOPLE]
