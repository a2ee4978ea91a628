"""Everything is counted, a bounded number can be read; on both databases, whatever comes in which order."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.contract.test_pipeline import assert_counts_agree, batch, count_of, do_not_wait, only
from tests.contract.test_store import NOW, fingerprint_of, new, record, row, sum_of
from tests.tools.acting import change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_event
from tests.tools.flooding import flood

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT, Body
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Counted, EventRow, Store
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events.bodies import read_known
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.schema.events import edge_bodies, events, fingerprints, history, incidents

LIMIT = 10


def pipeline_on(store: Store, clock: FixedClock, limit: int = LIMIT) -> Pipeline:
    return Pipeline(store, metrics=Metrics(), bodies_per_incident=limit, clock=clock, sleep=do_not_wait)


def failure(at: datetime, *, service: str = "billing", **fields: Any) -> dict[str, Any]:
    exceptions = [raised("KeyError", value=fields.pop("value", "'price'"))]
    return wire_event(now=at, service=service, exceptions=exceptions, **fields)


async def is_readable(store: Store, event_id: str) -> bool:
    found = await event_queries.get_event(store, event_id)
    assert found is not None
    return found.doc is not None and json.loads(found.doc)["id"] in (event_id, "x")


async def bodies_in(store: Store) -> int:
    """Of the events, by the database; the incidents say the same."""
    (counted,) = (await store.read(select(func.count(events.c.doc))))[0]
    (said,) = (await store.read(select(func.sum(incidents.c.bodies))))[0]
    assert counted == said
    (edges,) = (await store.read(select(func.count()).select_from(edge_bodies)))[0]
    return int(counted) + int(edges)


async def record_at_most(store: Store, rows: Sequence[EventRow], most: int) -> Counted:
    await store.prepare_days(frozenset(one.occurred_day for one in rows))
    async with store.write() as tx:
        return await tx.record_events(rows, bodies_max=most)


async def test_a_flood_of_one_bug_is_counted_exactly_and_leaves_a_bounded_number_of_bodies(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock, limit=100)
    sent = []
    for _ in range(10):
        flood = [failure(clock.advance(0.1), value=f"order {number}") for number in range(200)]
        sent += [event["id"] for event in flood]
        await only(pipeline, batch(*flood))
    (incident,) = await store.read(select(incidents))
    assert (await count_of(store), incident.bodies) == (2_000, await bodies_in(store) - 1)
    await assert_counts_agree(store)
    assert 20 <= await bodies_in(store) <= 100
    assert await is_readable(store, sent[0])
    assert await is_readable(store, sent[-1])
    page = await list_events(store, any_of(Key.INCIDENT, [1]), limit=2_000, now=clock())
    assert sum(one.body_kept for one in page.rows) == await bodies_in(store)


@pytest.mark.e2e
@pytest.mark.may_block("reads what a benchmark reads")
async def test_twenty_thousand_events_from_foreign_publishers_are_counted_and_cost_narrow_rows(
    store: Store,
) -> None:
    found = await flood(store, 20_000)
    assert (found.events, found.incidents) == (20_000, 1)
    assert found.bodies <= BODIES_PER_INCIDENT
    assert (found.first_body, found.last_body) == (True, True)
    assert found.grown_bytes < 20_000 * 1_000  # each came as 2,200


async def test_a_worker_that_starts_again_goes_on_with_the_budget_that_is_left(
    store: Store, clock: FixedClock
) -> None:
    for number in range(30):
        pipeline = pipeline_on(store, clock)
        await only(pipeline, batch(*(failure(clock.advance(60), host=f"web-{number}") for _ in range(3))))
    assert await count_of(store) == 90
    assert await bodies_in(store) <= LIMIT


async def test_duplicates_spend_nothing(store: Store, clock: FixedClock) -> None:
    pipeline, flood = pipeline_on(store, clock, limit=100), [failure(clock()) for _ in range(10)]
    for _ in range(5):
        await only(pipeline, batch(*flood))
        pipeline = pipeline_on(store, clock, limit=100)
    assert await bodies_in(store) == 10
    spent = await read_known(store, [(await store.read(select(fingerprints.c.fingerprint)))[0][0]])
    assert [one.spent.bodies for one in spent.values()] == [10]


async def test_workers_that_keep_at_once_stay_within_the_budget_together(store: Store) -> None:
    await store.register([new()], [])
    batches = [[row(at=NOW + timedelta(seconds=9 * part + n)) for n in range(9)] for part in range(8)]
    counted = await asyncio.gather(*(record_at_most(store, one, 20) for one in batches))
    assert sum(len(one.cut) for one in counted) == 72 - 20
    assert {bodies for one in counted for bodies in one.bodies.values()} >= {20}
    assert (await count_of(store), await sum_of(store, incidents.c.bodies)) == (72, 20)
    assert await bodies_in(store) <= 22
    assert await is_readable(store, batches[0][0].event_id)
    assert await is_readable(store, batches[-1][-1].event_id)


async def test_two_workers_in_one_flood_count_exactly_and_share_the_budget(
    store: Store, clock: FixedClock
) -> None:
    workers = [pipeline_on(store, clock, limit=50) for _ in range(4)]
    floods = [
        [
            [failure(clock.now + timedelta(seconds=number), host=f"h{part}") for number in range(40)]
            for part in range(6)
        ]
        for _ in workers
    ]

    async def work(pipeline: Pipeline, flood: list[list[dict[str, Any]]]) -> None:
        for part in flood:
            await only(pipeline, batch(*part))

    await asyncio.gather(*(work(one, flood) for one, flood in zip(workers, floods, strict=True)))
    assert await count_of(store) == 4 * 6 * 40
    await assert_counts_agree(store)
    assert await bodies_in(store) <= 50


async def test_the_last_event_is_readable_until_a_newer_one_comes(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row()])
    shown = []
    for seconds in (10, 30, 20, 40):
        event = row(at=NOW + timedelta(seconds=seconds), body=Body.LAST)
        await record(store, [event])
        shown.append(event.event_id)
    assert [await is_readable(store, one) for one in shown] == [False, False, False, True]


async def test_an_event_older_than_the_first_is_readable_until_an_older_one_comes(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row()])
    shown = []
    for seconds in (-10, -30, -20):
        event = row(at=NOW + timedelta(seconds=seconds), body=Body.FIRST)
        await record(store, [event])
        shown.append(event.event_id)
    assert [await is_readable(store, one) for one in shown] == [False, True, False]


async def test_the_last_event_is_found_though_the_batch_s_newest_was_stored_before(store: Store) -> None:
    await store.register([new()], [])
    stored = row(body=Body.NONE)
    await record(store, [stored])
    # Its clock is ahead: each delivery clamps it to its own time.
    again = row(event_id=stored.event_id, at=NOW + timedelta(seconds=90), body=Body.LAST)
    newest = row(at=NOW + timedelta(seconds=60), body=Body.NONE)
    await record(store, [again, newest])
    assert await is_readable(store, newest.event_id)


async def resolve(store: Store, clock: FixedClock) -> None:
    (known,) = await store.read(select(incidents.c.id))
    await change_status(store, known.id, Verb.RESOLVE, actor="test", now=clock())


async def test_every_regressing_event_is_readable_for_good(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, batch(*(failure(clock.advance(0.01)) for _ in range(50))))
    for _ in range(8):
        clock.advance(1)
        await resolve(store, clock)
        await only(pipeline, batch(*(failure(clock.advance(0.01)) for _ in range(5))))
    told = await store.read(select(history.c.event_id).where(history.c.reason == "regressed"))
    assert len(told) == 8
    assert [await is_readable(store, one.event_id) for one in told] == [True] * 8
    assert await bodies_in(store) <= LIMIT + 8


async def test_what_can_be_read_instead_of_an_event_is_its_nearest_kept_its_first_and_its_last(
    store: Store,
) -> None:
    await store.register([new()], [])
    kept = [row(at=NOW + timedelta(minutes=minute)) for minute in (0, 10, 20)]
    narrow = [row(at=NOW + timedelta(minutes=minute), body=Body.NONE) for minute in (5, 12, 17)]
    last = row(at=NOW + timedelta(minutes=25), body=Body.LAST)
    await record(store, [*kept, *narrow, last])
    found = []
    for one in narrow:
        stored = await event_queries.get_event(store, one.event_id)
        assert stored is not None
        assert stored.doc is None
        found.append(await event_queries.find_readable(store, stored))
    assert [one.nearest for one in found[1:]] == [kept[1].event_id, kept[2].event_id]
    assert {(one.first, one.last) for one in found} == {(kept[0].event_id, last.event_id)}
    page = await list_events(store, any_of(Key.INCIDENT, [1]), limit=50, now=NOW)
    assert [one.body_kept for one in page.rows] == [True, True, False, False, True, False, True]


async def test_a_fingerprint_that_is_not_registered_has_spent_nothing_that_is_known(store: Store) -> None:
    await store.register([new(1)], [])
    assert list(await read_known(store, [fingerprint_of(1), fingerprint_of(2)])) == [fingerprint_of(1)]
    assert await read_known(store, []) == {}


happenings = st.lists(
    st.one_of(
        st.lists(
            st.tuples(
                st.integers(0, 60),
                st.integers(-5_000, 5_000),
                st.sampled_from([None, "1", "2", "3"]),
                st.sampled_from([None, "a", "b"]),
            ),
            min_size=1,
            max_size=30,
        ),
        st.sampled_from(["resolve", "restart"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings)
async def test_whatever_comes_counts_are_exact_bodies_bounded_and_what_matters_is_readable(
    store: Store, clock: FixedClock, happened: list[Any]
) -> None:
    clock.advance(timedelta(hours=3))
    service = f"service-{clock.now.timestamp():.0f}"
    pipelines = [pipeline_on(store, clock) for _ in range(2)]
    made: dict[int, dict[str, Any]] = {}
    for step, one in enumerate(happened):
        clock.advance(1)
        if one == "resolve":
            await resolve_all(store, clock, service)
        elif one == "restart":
            pipelines[step % 2] = pipeline_on(store, clock)
        else:
            for number, seconds, release, host in one:
                at = clock.now + timedelta(milliseconds=seconds)
                made.setdefault(number, failure(at, service=service, release=release, host=host))
            await only(pipelines[step % 2], batch(*(made[number] for number, *_ in one)))
    if made:
        await assert_kept(store, service, len(made))


async def resolve_all(store: Store, clock: FixedClock, service: str) -> None:
    for known in await store.read(
        select(incidents.c.id, incidents.c.episode).where(
            incidents.c.service == service, incidents.c.status == "open", incidents.c.count > 0
        )
    ):
        await change_status(store, known.id, Verb.RESOLVE, actor="t", now=clock())


async def assert_kept(store: Store, service: str, count: int) -> None:
    counted = incidents.c.count.label("counted")
    (incident,) = await store.read(select(incidents, counted).where(incidents.c.service == service))
    assert incident.counted == count
    stored = await store.read(
        select(events.c.event_id, events.c.occurred_at, events.c.doc).where(events.c.service == service)
    )
    readable = {one.event_id for one in stored if await is_readable(store, one.event_id)}
    assert incident.bodies == sum(one.doc is not None for one in stored)
    for moment in (incident.first_seen_at, incident.last_seen_at):
        assert any(one.event_id in readable for one in stored if one.occurred_at == moment)
    told = {
        one.event_id
        for one in await store.read(select(history.c.event_id).where(history.c.incident_id == incident.id))
    } - {None}
    assert told <= readable
    assert len(readable) <= LIMIT + len(told)
