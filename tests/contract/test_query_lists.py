"""Lists by the operators' language: both databases answer as Python would, and pages join under writes."""

import asyncio
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import not_, select, update
from tests.contract.filling import ACTIVE, NEWEST, RARE, fill_store, key_of
from tests.contract.test_store import new, record, row
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.domain.search_text import fold, fold_as_before, search_text
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.incidents import count_totals, list_incidents
from faultwire_consumer.store.events.search import own_text_contains
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.schema.events import events, incidents
from faultwire_consumer.store.schema.search import event_texts

_VALUES: Final = {
    **dict.fromkeys(("service", "title", "culprit", "category", "code", "status"), ""),
    **dict.fromkeys(("severity", "episode", "count"), 1),
    **dict.fromkeys(("first_seen_at", "last_seen_at"), NEWEST),
}
# What databases fold, escape and cut in ways of their own.
odd = st.text(
    alphabet="aAbB%_'\"\\ß\u1e9e\u017fİ\u0131IiΣ\u03c3ςÅe\u0301\u030a😀\ufb03\x00\n -*:()^",
    min_size=3,
    max_size=12,
)


@pytest.mark.may_block("one loop for many examples")
def test_free_text_is_found_exactly_where_python_finds_it(
    tmp_path: Path, current_postgresql: PostgreSQL
) -> None:
    with asyncio.Runner() as runner:
        stores = runner.run(_open_both(f"sqlite:///{tmp_path / 'faultwire.db'}", current_postgresql.url))

        @settings(max_examples=60)
        @given(st.lists(odd, min_size=1, max_size=8), odd, st.data())
        def check(stored: list[str], sought: str, data: st.DataObject) -> None:
            kept = [search_text([text, text.swapcase()], {}) for text in stored]
            piece = data.draw(st.sampled_from([sought, *stored])).replace("\x00", "")
            start = data.draw(st.integers(0, len(piece)))
            for text in {sought.replace("\x00", ""), piece[start:]} - {""}:
                forms = {fold(text), fold_as_before(text)}
                expected = sorted(one for one in kept if any(form in one for form in forms))
                others = sorted(one for one in kept if all(form not in one for form in forms))
                for store in stores:
                    found = runner.run(_found(store, kept, text))
                    assert found == (expected, others), (store.name, text)

        check()
        for store in stores:
            runner.run(store.close())


async def test_other_forms_of_a_word_and_rows_of_earlier_versions_are_found(store: Store) -> None:
    old, new = (
        "löffel".casefold(),
        search_text(["cannot open Lo\u0308ffel.pdf", "決済エラー", "İstanbul"], {}),
    )
    for text in ("löffel", "LO\u0308FFEL", "\uff4cöffel"):
        assert await _found(store, [old, new], text) == ([new, old], []), text
    assert await _found(store, ["lo\u0308ffel", "loffel"], "Lo\u0308ffel") == (["lo\u0308ffel"], ["loffel"])
    for text in ("istanbul", "İSTANBUL", "決済", "\uff97\uff70"):
        assert await _found(store, [old, new], text) == ([new], [old]), text


async def _open_both(*urls: str) -> list[Store]:
    for url in urls:
        await migrate.upgrade(url)
    return [await open_store(url) for url in urls]


async def _found(store: Store, kept: list[str], text: str) -> tuple[list[str], list[str]]:
    async with store.write() as tx:
        await tx.execute(incidents.delete())
        for one in kept:
            await tx.execute(incidents.insert(), _VALUES | {"search_text": one})
    contains = own_text_contains(text, database=store.name)
    lacks = not_(own_text_contains(text, database=store.name, looked_up=False))
    answers = [await store.read(select(incidents.c.search_text).where(one)) for one in (contains, lacks)]
    found, others = (sorted(row.search_text for row in rows) for rows in answers)
    return found, others


@pytest.fixture
async def filled(store: Store) -> Store:
    await fill_store(store, incidents=1000, events=3000)
    return store


async def incident_ids(store: Store, text: str) -> list[int]:
    page = await list_incidents(store, parse_query(text), limit=1000, now=NEWEST)
    return [one.id for one in page.rows]


async def event_ids(store: Store, text: str) -> list[str]:
    page = await list_events(store, parse_query(text), limit=1000, now=NEWEST)
    return [one.id for one in page.rows]


async def test_each_key_finds_the_incidents_that_have_it(filled: Store) -> None:
    everything = await incident_ids(filled, "")
    assert everything == list(range(1, 1001))
    rare = ("service", "code", "environment", "release")
    for text in (*(f"{key}:rare" for key in rare), "zanzibar", "ZANZI", "incident:INC-42", "code:rare,none"):
        assert await incident_ids(filled, text) == [RARE], text
    assert await incident_ids(filled, "severity:critical") == list(range(100, 1001, 100))
    assert await incident_ids(filled, "is:open severity:>high") == list(range(100, 1001, 100))
    for text in ("service:rare code:C1", "environment:production release:rare", "zanzibar -service:rare"):
        assert await incident_ids(filled, text) == [], text
    for key in (*rare, "zanzibar"):
        text = f"-{key}:rare" if key in rare else f"-{key}"
        assert await incident_ids(filled, text) == [one for one in everything if one != RARE]
    seen = timedelta(days=30) / 3000
    assert await incident_ids(filled, f"since:{10 * seen // timedelta(seconds=1)}s") == list(range(1, 12))
    until = (NEWEST - 990 * seen).isoformat()
    assert await incident_ids(filled, f'until:"{until}"') == [*range(1, ACTIVE + 1), *range(991, 1001)]


async def test_each_key_finds_the_events_that_have_it(filled: Store) -> None:
    rows = await filled.read(select(events).order_by(events.c.received_at.desc(), events.c.event_id.desc()))

    def expect(holds: Any) -> list[str]:
        return [one.event_id for one in rows if holds(one)][:1000]

    rare = expect(lambda one: one.fingerprint == key_of(RARE))
    assert rare
    for text in ("service:rare", "environment:rare", "release:rare", "code:rare", "incident:42"):
        assert await event_ids(filled, text) == rare, text
    assert await event_ids(filled, "") == expect(lambda _: True)
    kept = {one.event_id for one in await filled.read(select(event_texts.c.event_id))}
    said = expect(lambda one: one.fingerprint == key_of(RARE) and one.event_id in kept)
    assert 0 < len(said) < len(rare), "an event says what itself says, and only if it is kept"
    for text in ("zanzibar", "ZANZI -service:s3", "type:Rare", "type:R*e user:*"):
        assert await event_ids(filled, text) == said, text
    assert await event_ids(filled, "-zanzibar") == expect(lambda one: one.event_id not in said)
    assert await event_ids(filled, "-type:Rare") == expect(lambda one: one.event_id not in said)
    assert await event_ids(filled, "-release:rare") == expect(lambda one: one.release != "rare")
    assert await event_ids(filled, "severity:critical") == expect(lambda one: one.severity == 4)
    assert await event_ids(filled, "severity:low") == expect(lambda one: one.severity == 1)
    assert await event_ids(filled, "service:s3") == expect(lambda one: one.service == "s3")
    day = NEWEST - timedelta(days=1)
    assert await event_ids(filled, "since:1d") == expect(lambda one: one.occurred_at >= day)
    assert await event_ids(filled, "since:1d service:s3") == expect(
        lambda one: one.occurred_at >= day and one.service == "s3"
    )
    early = NEWEST - timedelta(days=29)
    assert await event_ids(filled, "until:29d") == expect(lambda one: one.occurred_at <= early)
    for text in (rare[0], f"{rare[0]} service:rare"):
        assert await event_ids(filled, text) == [rare[0]]
        assert await incident_ids(filled, text) == [RARE]
    assert await event_ids(filled, f"{rare[0]} service:s3") == []


async def test_totals_leave_out_what_was_never_counted(filled: Store) -> None:
    await filled.register([new(7)], [])
    totals = await count_totals(filled)
    assert (totals.open, totals.resolved) == (100, 900)
    async with filled.write() as tx:
        await tx.execute(update(incidents).where(incidents.c.title == "Error 7").values(count=0))
    assert (await count_totals(filled)).resolved == 899
    assert 7 not in await incident_ids(filled, "")


@pytest.mark.parametrize("text", ["", "severity:<=high", "refused"])
async def test_pages_of_incidents_join_while_events_come(filled: Store, text: str) -> None:
    rng, touched, seen = random.Random(text), set[int](), list[int]()
    cursor, moment = None, NEWEST
    expected = await incident_ids(filled, text)
    while True:
        page = await list_incidents(filled, parse_query(text), limit=77, now=NEWEST, cursor=cursor)
        seen += [one.id for one in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
        for number in rng.sample(range(1, 1001), 20):
            moment += timedelta(seconds=1)
            touched.add(number)
            await touch(filled, number, moment)
    assert len(seen) == len(set(seen)), "none comes twice"
    assert set(expected) - set(seen) <= touched, "none is lost that nobody touched"


@pytest.mark.parametrize("text", ["", "severity:low", "service:s3", f"incident:{RARE},1", "is:resolved"])
async def test_pages_of_events_join_while_events_come(filled: Store, text: str) -> None:
    expected = await event_ids(filled, text)
    seen, cursor, number = list[str](), None, 0
    while True:
        page = await list_events(filled, parse_query(text), limit=77, now=NEWEST, cursor=cursor)
        seen += [one.id for one in page.rows]
        cursor = page.next_cursor
        if cursor is None or len(seen) >= len(expected):
            break
        number += 1
        moment = NEWEST + timedelta(seconds=number)
        await touch(filled, number % ACTIVE + 1, moment)
        late = row(
            event_id=f"error_20261123_late{number:016d}",
            fingerprint=key_of(number),
            occurred_at=moment,
            received_at=moment,
        )
        await record(filled, [late])
    assert seen[: len(expected)] == expected


async def touch(store: Store, incident_id: int, moment: datetime) -> None:
    later = update(incidents).where(incidents.c.id == incident_id)
    async with store.write() as tx:
        await tx.execute(later.values(count=incidents.c.count + 1, last_seen_at=moment))


async def test_an_incident_is_found_by_what_its_first_event_says(store: Store) -> None:
    await store.register([new(1)], [])
    await record(store, [row(fingerprint=new(1).fingerprint)])
    found = await list_incidents(store, any_of(Key.TEXT, ["ERROR 1"]), limit=5, now=NEWEST)
    assert [one.title for one in found.rows] == ["Error 1"]
