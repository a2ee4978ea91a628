"""The events beside one are those of its incident's order, over all of its fingerprints, by an index."""

import re
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.contract.filling import BUSY, NEWEST, explain, fill_store, key_of

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import StoredEvent, get_event
from faultwire_consumer.store.events.neighbours import neighbours_of, select_edge
from faultwire_consumer.store.schema.events import events, fingerprints


async def in_order(store: Store, incident_id: int) -> list[Any]:
    """Every event of an incident, the first first, read without our statements."""
    rows = await store.read(
        select(events.c.event_id, events.c.occurred_at)
        .join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id)
    )
    return sorted(rows, key=lambda row: (row.occurred_at, row.event_id))


async def event_of(store: Store, event_id: str) -> StoredEvent:
    event = await get_event(store, event_id)
    assert event is not None
    return event


@pytest.fixture
async def merged(store: Store) -> Store:
    """A store in which one incident has the fingerprints of four, and many of its events one moment."""
    await fill_store(store, incidents=1000, events=600)
    async with store.write() as tx:
        others = [key_of(number) for number in (998, 999, 1000)]
        await tx.execute(
            update(fingerprints).where(fingerprints.c.fingerprint.in_(others)).values(incident_id=BUSY)
        )
        of_busy = (await in_order(store, BUSY))[20:60]
        await tx.execute(
            update(events)
            .where(events.c.event_id.in_([row.event_id for row in of_busy]))
            .values(occurred_at=NEWEST)
        )
    return store


async def test_the_events_beside_each_event_are_those_of_the_order(merged: Store) -> None:
    ids = [row.event_id for row in await in_order(merged, BUSY)]
    assert len(ids) > 100
    for place in (0, 1, 30, 31, 59, 60, len(ids) - 41, len(ids) - 40, len(ids) - 2, len(ids) - 1):
        beside = await neighbours_of(merged, await event_of(merged, ids[place]))
        found = [one and one.id for one in (beside.first, beside.previous, beside.next, beside.last)]
        before = ids[place - 1] if place else None
        after = ids[place + 1] if place + 1 < len(ids) else None
        assert found == [ids[0], before, after, ids[-1]]


async def test_whether_a_neighbour_can_be_read_is_said(merged: Store) -> None:
    ids = [row.event_id for row in await in_order(merged, BUSY)]
    async with merged.write() as tx:
        await tx.execute(update(events).where(events.c.event_id == ids[1]).values(doc=b"{}"))
        await tx.execute(update(events).where(events.c.event_id == ids[3]).values(doc=None))
    beside = await neighbours_of(merged, await event_of(merged, ids[2]))
    assert beside.previous is not None
    assert beside.next is not None
    assert (beside.previous.body_kept, beside.next.body_kept) == (True, False)


async def test_an_event_of_no_incident_s_order_any_more_still_has_an_answer(merged: Store) -> None:
    ids = [row.event_id for row in await in_order(merged, BUSY)]
    event = await event_of(merged, ids[0])
    async with merged.write() as tx:
        await tx.execute(events.delete())
    beside = await neighbours_of(merged, event)
    assert (beside.first, beside.previous, beside.next, beside.last) == (None, None, None, None)


async def test_neighbours_are_looked_up_by_an_index(filled: Store) -> None:
    event = await event_of(filled, (await in_order(filled, BUSY))[4_000].event_id)
    for is_last in (True, False):
        for around in (None, event):
            statement = select_edge(filled.name, BUSY, is_last=is_last, around=around)
            plan = await explain(filled, statement)
            assert "ix_fingerprints_incident_id" in plan, plan
            assert re.search("fingerprint_occurred_at", plan), plan
            assert not re.search(
                r"SCAN (found|event|fingerprints)|Seq Scan on (events_\d+|fingerprints)", plan
            ), plan
