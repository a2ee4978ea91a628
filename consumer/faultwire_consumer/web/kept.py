"""Events with their bodies: of an incident the newest that is kept, of one without a body the nearest."""

from datetime import datetime

from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import StoredEvent, find_readable, get_event
from faultwire_consumer.store.events.event_list import list_events
from faultwire_shared import codec
from faultwire_shared.event import Event


def decoded(stored: StoredEvent) -> Event | None:
    """The event of a stored row; None where its body is not kept or can no longer be read."""
    if stored.doc is None:
        return None
    try:
        return codec.decode(stored.doc)
    except codec.Undecodable:
        return None


async def readable(store: Store, stored: StoredEvent) -> StoredEvent:
    """The stored event, or the nearest of its kind that has a body where it has none."""
    if stored.doc is not None:
        return stored
    nearest = (await find_readable(store, stored)).nearest
    found = await get_event(store, nearest) if nearest is not None else None
    return stored if found is None else found


async def newest_event(store: Store, incident_id: int, *, now: datetime) -> StoredEvent | None:
    """The newest event of an incident, or the nearest of its kind that has a body; None if none is left."""
    page = await list_events(store, any_of(Key.INCIDENT, [incident_id]), limit=1, now=now)
    newest = await get_event(store, page.rows[0].id) if page.rows else None
    return await readable(store, newest) if newest is not None else None
