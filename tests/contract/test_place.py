"""Where an event and an incident stand, and whom an incident met: the same on both databases, by indexes."""

import re
from typing import Any

import pytest
from sqlalchemy import Select, select, update
from tests.contract.filling import BUSY, NEWEST, explain, fill_store

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.condition import incident_conditions
from faultwire_consumer.store.events.event import StoredEvent, get_event
from faultwire_consumer.store.events.figures.order import columns_of_order, order_beside
from faultwire_consumer.store.events.incidents import list_history, list_incidents
from faultwire_consumer.store.events.people import list_people, select_people
from faultwire_consumer.store.events.position import (
    COUNTED_MAX,
    EventPlace,
    neighbours_in_list,
    place_of,
    select_count_beside,
)
from faultwire_consumer.store.schema.events import events, fingerprints, incidents

MIDDLE = 9_000
"""An incident in the middle of every list: at an end, so few are left that any way to them will do."""


async def ids_in_order(store: Store, incident_id: int) -> list[str]:
    rows = await store.read(
        select(events.c.event_id, events.c.occurred_at)
        .join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id)
    )
    return [row.event_id for row in sorted(rows, key=lambda row: (row.occurred_at, row.event_id))]


async def event_of(store: Store, event_id: str) -> StoredEvent:
    event = await get_event(store, event_id)
    assert event is not None
    return event


async def test_an_event_is_numbered_where_so_few_stand_beside_it(store: Store) -> None:
    await fill_store(store, incidents=200, events=12_000)
    ids = await ids_in_order(store, BUSY)
    assert len(ids) > 2 * COUNTED_MAX
    for number, place in (
        (0, EventPlace(0, None)),
        (7, EventPlace(7, None)),
        (len(ids) // 2, EventPlace(None, None)),
        (len(ids) - 3, EventPlace(None, 2)),
    ):
        assert await place_of(store, await event_of(store, ids[number])) == place


@pytest.mark.parametrize("order", list(IncidentOrder))
async def test_the_neighbours_in_a_list_are_those_of_its_pages(store: Store, order: IncidentOrder) -> None:
    await fill_store(store, incidents=60, events=200)
    query = parse_query("is:open")
    page = await list_incidents(store, query, limit=1_000, now=NEWEST, order=order)
    listed = [row.id for row in page.rows]
    assert len(listed) > 5
    for place in (0, 1, 4, len(listed) - 1):
        found = await neighbours_in_list(store, listed[place], query, order=order, now=NEWEST)
        before = listed[place - 1] if place else None
        after = listed[place + 1] if place + 1 < len(listed) else None
        assert (found.previous, found.following) == (before, after)


async def test_an_incident_that_left_the_list_still_has_its_neighbours(store: Store) -> None:
    await fill_store(store, incidents=60, events=200)
    query = parse_query("is:open")
    page = await list_incidents(store, query, limit=1_000, now=NEWEST)
    before, gone, after = (row.id for row in page.rows[3:6])
    async with store.write() as tx:
        await tx.execute(update(incidents).where(incidents.c.id == gone).values(status="resolved"))
    found = await neighbours_in_list(store, gone, query, order=IncidentOrder.LAST, now=NEWEST)
    assert (found.previous, found.following) == (before, after)
    nothing = await neighbours_in_list(store, 10**9, query, order=IncidentOrder.LAST, now=NEWEST)
    assert (nothing.previous, nothing.following) == (None, None)


async def test_the_people_of_an_incident_are_counted_among_its_newest_kept_events(store: Store) -> None:
    await fill_store(store, incidents=200, events=2_000)
    found = await list_people(store, BUSY)
    assert 0 < len(found.users) <= 3
    counts = [user.count for user in found.users]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) <= found.sampled
    assert not (await list_people(store, 10**9)).users


async def test_a_history_is_read_as_far_as_is_asked_for(store: Store) -> None:
    await fill_store(store, incidents=20, events=50)
    assert len(await list_history(store, BUSY, limit=0)) == 0


async def test_each_is_read_by_an_index(filled: Store) -> None:
    event = await event_of(filled, (await ids_in_order(filled, BUSY))[4_000])
    statements: list[tuple[Select[Any] | Prepared, str]] = [
        (select_count_beside(event.incident_id, event, is_before=is_before), "fingerprint_occurred_at")
        for is_before in (True, False)
    ]
    statements.append((select_people(BUSY), "ix_event_texts_fingerprint_occurred_at"))
    for order in IncidentOrder:
        (own,) = await filled.read(select(*columns_of_order(order)).where(incidents.c.id == MIDDLE))
        if any(value is None for value in own):
            continue
        wanted = select(incidents.c.id).where(*incident_conditions(Query(), database=filled.name, now=NEWEST))
        sides = [order_beside(wanted, order, tuple(own), is_before=is_before) for is_before in (True, False)]
        statements += [(side, "ix_incidents_") for side in sides]
    for statement, index in statements:
        plan = await explain(filled, statement)
        assert re.search(index, plan), plan
        assert not re.search(
            r"SCAN (incidents|events|event_texts)\b(?! USING)|Seq Scan on (events_\d|incid)", plan
        )
