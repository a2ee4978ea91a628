"""Places of an event among those of its incident, and of an incident in a list: each by an index."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, func, literal, select

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.contract.prepared import prepared
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.condition import incident_conditions
from faultwire_consumer.store.events.event import StoredEvent
from faultwire_consumer.store.events.figures.order import columns_of_order, order_beside
from faultwire_consumer.store.events.neighbours import EventMoment
from faultwire_consumer.store.events.search import estimate_frequency
from faultwire_consumer.store.schema.events import events, fingerprints, incidents

COUNTED_MAX: Final = 1_000
"""Where counting the events beside one ends: each is a step in an index."""


class EventPlace(Struct, frozen=True):
    """The number of an incident's events that occurred before and after one; None: more than are counted."""

    before: int | None
    after: int | None


async def place_of(store: StoreReader, event: StoredEvent) -> EventPlace:
    """Count the events on both sides of one, as far as that is cheap.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    counts = (await store.read(_select_counts(event.incident_id, event.occurred_at, event.id)))[0]
    before, after = (None if count > COUNTED_MAX else count for count in counts)
    return EventPlace(before, after)


@prepared
def _select_counts(incident_id: int, occurred_at: datetime, event_id: str) -> Select[Any]:
    event = EventMoment(occurred_at, event_id)
    sides = {
        name: select_count_beside(incident_id, event, is_before=is_before).scalar_subquery()
        for name, is_before in (("before", True), ("after", False))
    }
    return select(*(side.label(name) for name, side in sides.items()))


def select_count_beside(
    incident_id: int, event: StoredEvent | EventMoment, *, is_before: bool
) -> Select[Any]:
    """Select the number of an incident's events on one side of an event, which itself counts as before."""
    at, key = events.c.occurred_at, events.c.event_id
    side = (at < event.occurred_at) | ((at == event.occurred_at) & (key < event.id))
    if not is_before:
        side = (at > event.occurred_at) | ((at == event.occurred_at) & (key > event.id))
    bound = at <= event.occurred_at if is_before else at >= event.occurred_at
    beside = (
        select(literal(1).label("one"))
        .select_from(fingerprints.join(events, events.c.fingerprint == fingerprints.c.fingerprint))
        .where(fingerprints.c.incident_id == incident_id, bound, side)
        .limit(COUNTED_MAX + 1)
        .subquery()
    )
    return select(func.count().label("total")).select_from(beside)


class Listed(Struct, frozen=True):
    """The incidents before and after one in a list; None at its ends."""

    previous: int | None
    following: int | None


async def neighbours_in_list(
    store: StoreReader, incident_id: int, query: Query, *, order: IncidentOrder, now: datetime
) -> Listed:
    """Find an incident's neighbours in a list, in which it need not be any more.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    columns = columns_of_order(order)
    own = await store.read(select(*columns).where(incidents.c.id == incident_id))
    if not own or any(value is None for value in own[0]):
        return Listed(None, None)
    common = (await estimate_frequency(store, query)).is_common_in_incidents
    wanted = select(incidents.c.id).where(
        *incident_conditions(query, database=store.name, now=now, common=common)
    )
    sides = {
        name: order_beside(wanted, order, tuple(own[0]), is_before=is_before).scalar_subquery()
        for name, is_before in (("previous", True), ("following", False))
    }
    (found,) = await store.read(select(*(side.label(name) for name, side in sides.items())))
    return Listed(found.previous, found.following)
