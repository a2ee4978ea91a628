"""The search's tables follow the events: written with a body, filled in for old ones, deleted with them."""

import asyncio
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update
from tests.contract.test_store import NOW, new, row
from tests.tools.factories import wire_event

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.domain.retention import Cut
from faultwire_consumer.domain.searched import read_searched
from faultwire_consumer.ingest.kept_texts import AT_ONCE
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.settlement import IntakeHandle
from faultwire_consumer.maintenance.search_filling import SearchFiller
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import EventRow, Store
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.incidents import list_incidents
from faultwire_consumer.store.events.search_index import (
    forget_before,
    found_by,
    is_search_complete,
    record_found_by,
)
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events, history, incidents
from faultwire_consumer.store.schema.search import event_texts, event_values, search_fill
from faultwire_consumer.store.upkeep import search_fill as filling
from faultwire_consumer.store.upkeep.retention import make_cut
from faultwire_shared.codec import BATCH_TYPE
from faultwire_shared.event import ErrorSeverity


def saying(word: str, **fields: Any) -> EventRow:
    body = msgspec.json.encode({"message": f"it says {word}", "user": {"id": f"user {word}"}})
    return row(doc=body, **fields)


async def store_rows(store: Store, rows: list[EventRow]) -> None:
    """As an earlier version did, which knew no search."""
    await store.register([new()], [])
    await store.prepare_days(frozenset(one.occurred_day for one in rows))
    async with store.write() as tx:
        await tx.record_events(rows)


async def make_findable(store: Store, rows: list[EventRow]) -> None:
    async with store.write() as tx:
        await record_found_by(tx, [found_by(one, read_searched(one.doc)) for one in rows])


async def found(store: Store, query: str) -> list[str]:
    page = await list_events(store, parse_query(query), limit=100, now=NOW)
    return [one.id for one in page.rows]


async def counts(store: Store) -> tuple[int, int]:
    return (
        len(await store.read(select(event_texts.c.id))),
        len(await store.read(select(event_values.c.number))),
    )


def nobody_waits(_: float) -> Any:
    async def no_time() -> None:
        return None

    return no_time()


async def test_events_from_before_the_search_are_filled_in_step_by_step_the_newest_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "KEYS", 3)
    monkeypatch.setattr(filling, "BODIES", 2)
    old = [saying(f"w{day}x{n}", at=NOW - timedelta(days=day)) for day in range(3) for n in range(4)]
    late = saying("late", at=NOW - timedelta(days=300))
    assert late.occurred_day == QUARANTINE_DAY
    silent = saying("silence", at=NOW - timedelta(days=1), body=Body.NONE)
    await store_rows(store, [*old, late, silent])
    async with store.write() as tx:
        await tx.execute(insert(search_fill).values(name="bodies"))
    assert not await is_search_complete(store)
    assert await found(store, '"it says"') == []
    assert await filling.fill_step(store)
    first = await found(store, '"it says"')
    assert len(first) == 2
    assert {one.occurred_day for one in old if one.event_id in first} == {NOW.date()}
    # Another worker goes on, and what ingest did meanwhile is no obstacle.
    await make_findable(store, [old[5]])
    await SearchFiller(store, sleep=nobody_waits).fill()
    assert set(await found(store, '"it says"')) == {one.event_id for one in [*old, late]}
    assert await found(store, '"user w1x1"') == await found(store, 'user:"user w1x1"') == [old[5].event_id]
    assert await found(store, "silence") == []
    assert await is_search_complete(store)
    assert await counts(store) == (13, 13)


async def test_a_store_that_was_empty_has_nothing_to_fill_in(store: Store) -> None:
    assert await is_search_complete(store)
    assert not await filling.fill_step(store)


async def test_an_event_that_is_deleted_during_a_step_is_not_made_findable(store: Store) -> None:
    there, gone = saying("there"), saying("gone")
    await store_rows(store, [there, gone])
    async with store.write() as tx:
        await tx.execute(delete(events).where(events.c.event_id == gone.event_id))
        rows = [found_by(one, read_searched(one.doc)) for one in (there, gone)]
        kept = await filling._still_there(tx, there.occurred_day, rows)
    assert [one.event_id for one in kept] == [there.event_id]


async def test_the_first_and_the_last_event_are_found_until_another_takes_their_place(store: Store) -> None:
    last = saying("earlier", body=Body.LAST)
    first = saying("oldest", at=NOW - timedelta(hours=1), body=Body.FIRST)
    await store_rows(store, [first, last])
    assert await filling.add_edges(store) == 2
    assert await found(store, "earlier") == [last.event_id]
    assert await filling.add_edges(store) == 0
    newer = saying("newer", at=NOW + timedelta(seconds=1), body=Body.LAST)
    await store_rows(store, [newer])
    await SearchFiller(store, sleep=nobody_waits).fill()
    assert await found(store, "newer") == [newer.event_id]
    assert await found(store, "earlier") == []
    assert await found(store, "oldest") == [first.event_id]
    assert await counts(store) == (2, 2)


@pytest.mark.parametrize("is_whole", [True, False])
async def test_what_retention_deletes_is_found_no_longer(store: Store, is_whole: bool) -> None:
    yesterday = NOW - timedelta(days=1)
    low = saying("lowly", at=yesterday, severity=ErrorSeverity.LOW)
    high = saying("highly", at=yesterday, severity=ErrorSeverity.HIGH)
    today = saying("today")
    await store_rows(store, [low, high, today])
    await make_findable(store, [low, high, today])
    ranks = tuple(one.rank for one in ErrorSeverity) if is_whole else (ErrorSeverity.LOW.rank,)
    await make_cut(store, Cut(yesterday.date(), ranks, is_whole), sleep=nobody_waits)
    kept = [today.event_id] if is_whole else [today.event_id, high.event_id]
    assert await found(store, "says") == kept
    assert await counts(store) == (len(kept), len(kept))


async def test_what_was_left_of_days_that_are_gone_is_cleared_but_not_the_quarantine(store: Store) -> None:
    rows = [
        saying("old", at=NOW - timedelta(days=5)),
        saying("late", at=NOW - timedelta(days=300)),
        saying("new"),
    ]
    await store_rows(store, rows)
    await make_findable(store, rows)
    await forget_before(store, date(2026, 11, 20), sleep=nobody_waits)
    assert await found(store, "says") == [rows[2].event_id, rows[1].event_id]
    assert await counts(store) == (2, 2)


async def test_an_event_that_comes_again_is_found_once(store: Store) -> None:
    event = saying("once")
    await store_rows(store, [event])
    await make_findable(store, [event])
    await make_findable(store, [event])
    assert await counts(store) == (1, 1)


async def test_pages_of_events_that_say_it_join(store: Store) -> None:
    rows = [saying("it", at=NOW - timedelta(seconds=number // 2)) for number in range(25)]
    await store_rows(store, rows)
    await make_findable(store, rows)
    expected = await found(store, "says")
    for query in ("says", "user:*", "user:user*"):
        seen, cursor = list[str](), None
        while True:
            page = await list_events(store, parse_query(query), limit=4, now=NOW, cursor=cursor)
            seen += [one.id for one in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == expected


async def test_incidents_by_states_and_by_times_of_their_own(store: Store) -> None:
    """Beside what `test_query_meaning` covers: what came back, and when."""
    await store_rows(store, [saying("it")])
    assert await _incidents(store, "is:regressed") == await _incidents(store, "regressed:7d") == []
    assert await _incidents(store, "-regressed:7d is:unresolved") == [1]
    async with store.write() as tx:
        await tx.execute(update(incidents).values(episode=2))
        await tx.execute(
            insert(history).values(
                incident_id=1,
                at=NOW - timedelta(hours=3),
                actor="worker",
                reason="regressed",
                before="resolved",
                after="open",
            )
        )
    assert await _incidents(store, "is:regressed") == await _incidents(store, "regressed:today") == [1]
    assert await _incidents(store, "regressed:1h") == await _incidents(store, "-regressed:4h") == []
    async with store.write() as tx:
        await tx.execute(update(incidents).values(status="resolved"))
    assert await _incidents(store, "is:regressed") == []
    assert await _incidents(store, "is:resolved,new") == [1]


async def _incidents(store: Store, query: str) -> list[int]:
    return [one.id for one in (await list_incidents(store, parse_query(query), limit=9, now=NOW)).rows]


async def test_kept_events_of_a_large_batch_are_found_moments_later_and_that_is_said(store: Store) -> None:
    pipeline = Pipeline(store, metrics=Metrics(), clock=lambda: NOW)
    many = [wire_event(now=NOW, message=f"wagon {number} is late") for number in range(AT_ONCE + 1)]
    await ingest(pipeline, many)
    assert await found(store, '"wagon 7 is"') == []
    assert not await is_search_complete(store)
    await ingest(pipeline, [wire_event(now=NOW, message="wagon 99 is late")])
    assert len(await found(store, '"wagon 99 is"')) == 1, "one of a small batch is findable at once"
    await SearchFiller(store, sleep=nobody_waits).fill()
    assert await found(store, '"wagon 7 is"') == [many[7]["id"]]
    assert len(await found(store, '"is late"')) == AT_ONCE + 2
    assert await is_search_complete(store)


async def test_what_is_deleted_before_its_turn_is_not_found_and_holds_nothing_up(store: Store) -> None:
    pipeline = Pipeline(store, metrics=Metrics(), clock=lambda: NOW)
    await ingest(pipeline, [wire_event(now=NOW, message=f"wagon {n}") for n in range(AT_ONCE + 1)])
    async with store.write() as tx:
        await tx.execute(delete(events))
    await SearchFiller(store, sleep=nobody_waits).fill()
    assert await counts(store) == (0, 0)
    assert await is_search_complete(store)


async def ingest(pipeline: Pipeline, wired: list[dict[str, Any]]) -> None:
    handle = IntakeHandle(asyncio.get_running_loop().create_future())
    body = msgspec.json.encode(wired)
    await pipeline.ingest([read_delivery(body, BATCH_TYPE, origin="http", handle=handle)])
