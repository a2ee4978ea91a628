"""What becomes of deliveries, on both databases: rows, incidents, dead letters and outcomes."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from tests.tools.acting import change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_body, wire_event
from tests.tools.fakes import BreakableStore

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.outcome import DeadLettered, Duplicate, Outcome, Retry, Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import events, fingerprints, history, hourly, incidents
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, decode


async def do_not_wait(_: float) -> None:
    return


def pipeline_on(store: Store, clock: FixedClock) -> Pipeline:
    return Pipeline(store, metrics=Metrics(), clock=clock, sleep=do_not_wait)


def single(body: bytes) -> Delivery:
    return read_delivery(body, EVENT_TYPE, origin="test", handle=None)


def batch(*members: dict[str, Any] | bytes) -> Delivery:
    raw = [member if isinstance(member, bytes) else json.dumps(member).encode() for member in members]
    return read_delivery(b"[" + b",".join(raw) + b"]", BATCH_TYPE, origin="test", handle=None)


async def only(pipeline: Pipeline, delivery: Delivery) -> list[Outcome]:
    (outcomes,) = await pipeline.ingest([delivery])
    return outcomes


async def count_of(store: Store) -> int:
    return int((await store.read(select(func.coalesce(func.sum(incidents.c.count), 0))))[0][0])


async def assert_counts_agree(store: Store) -> None:
    for column in (events.c.count, hourly.c.count):
        assert int((await store.read(select(func.coalesce(func.sum(column), 0))))[0][0]) == await count_of(
            store
        )


async def letters_of(store: Store) -> Sequence[Any]:
    return await store.read(select(dead_letters).order_by(dead_letters.c.id))


async def test_an_event_becomes_a_row_and_opens_an_incident_with_its_history(
    store: Store, clock: FixedClock
) -> None:
    body = wire_body(now=clock(), exceptions=[raised("ConnectionRefusedError", value="port 4000")])
    (outcome,) = await only(pipeline_on(store, clock), single(body))
    assert isinstance(outcome, Stored)
    (incident,) = await store.read(select(incidents))
    assert (incident.title, incident.culprit) == (
        "ConnectionRefusedError: port 4000",
        "billing.pay in charge",
    )
    assert (incident.code, incident.category, incident.status) == ("INTERNAL_ERROR", "system", "open")
    (stored,) = await store.read(select(events))
    assert json.loads(stored.doc) == json.loads(body) | {"scrubbed": True}
    (opened,) = await store.read(select(history))
    assert (opened.reason, opened.before, opened.after) == ("opened", None, "open")
    assert opened.event_id == outcome.event_id


async def test_an_event_that_comes_again_is_a_duplicate_in_one_batch_and_in_the_next(
    store: Store, clock: FixedClock
) -> None:
    pipeline, event = pipeline_on(store, clock), wire_event(now=clock())
    first = await only(pipeline, batch(event, event))
    again = await only(pipeline_on(store, clock), batch(event))
    assert [type(outcome) for outcome in [*first, *again]] == [Stored, Duplicate, Duplicate]
    assert await count_of(store) == 1


async def test_one_bad_event_in_a_batch_is_a_dead_letter_and_its_neighbours_are_stored(
    store: Store, clock: FixedClock
) -> None:
    bad = wire_event(now=clock(), tags="none")
    outcomes = await only(
        pipeline_on(store, clock), batch(wire_event(now=clock()), bad, wire_event(now=clock()))
    )
    assert [type(outcome) for outcome in outcomes] == [Stored, DeadLettered, Stored]
    (letter,) = await letters_of(store)
    assert (letter.reason, letter.event_id) == ("invalid_event", bad["id"])
    assert letter.detail.endswith("at $.tags")
    assert json.loads(letter.body) == bad


@pytest.mark.parametrize(
    ("body", "reason", "place"),
    [
        (b"{", "malformed_json", "$"),
        (b"", "malformed_json", "$"),
        (b"\xff\xfe", "malformed_json", "$"),
        (b'{"id": NaN}', "malformed_json", "$"),
        (b"[" * 100_000, "too_deep", "$"),
        (b"5", "invalid_event", "$"),
        (b"{}", "invalid_event", "$"),
        (b" " * 300_000, "too_large", "$"),
        (wire_body(schema_version=99), "schema_unsupported", "$.schema_version"),
        (wire_body(id="nonsense"), "bad_event_id", "$.id"),
        (wire_body(id="error_20261399_abcdefgh"), "bad_event_id", "$.id"),
        (wire_body(occurred_at="yesterday"), "invalid_event", "$.occurred_at"),
        (wire_body(occurred_at="2026-11-23T10:00:00"), "invalid_event", "$.occurred_at"),
        (wire_body(count=0), "invalid_event", "$.count"),
        (wire_body(service="s" * 300), "invalid_event", "$.service"),
        (wire_body(message=""), "invalid_event", "$.message"),
        (
            wire_body(exceptions=[raised("E"), raised("F", frames=[{"line": "ten"}])]),
            "invalid_event",
            "$.exceptions[1].frames[0].line",
        ),
    ],
)
async def test_a_body_that_is_no_event_is_a_dead_letter_with_reason_and_place(
    store: Store, clock: FixedClock, body: bytes, reason: str, place: str
) -> None:
    (outcome,) = await only(pipeline_on(store, clock), single(body))
    assert isinstance(outcome, DeadLettered)
    assert outcome.reason == reason
    (letter,) = await letters_of(store)
    assert letter.detail.endswith(f"at {place}"), letter.detail
    assert await count_of(store) == 0


async def test_an_array_that_does_not_parse_is_one_dead_letter(store: Store, clock: FixedClock) -> None:
    body = b"[" + wire_body() + b"," + wire_body()[:-4] + b"]"
    (outcome,) = await only(
        pipeline_on(store, clock), read_delivery(body, BATCH_TYPE, origin="q", handle=None)
    )
    assert isinstance(outcome, DeadLettered)
    assert len(await letters_of(store)) == 1


async def test_a_message_of_an_unknown_type_is_a_dead_letter(store: Store, clock: FixedClock) -> None:
    delivery = read_delivery(b"{}", "somebody.elses.v7", origin="q", handle=None)
    (outcome,) = await only(pipeline_on(store, clock), delivery)
    assert isinstance(outcome, DeadLettered)
    assert outcome.reason == "type_unsupported"


async def test_events_that_the_database_refuses_stand_alone_among_the_dead_letters(
    store: Store, clock: FixedClock
) -> None:
    refusing = BreakableStore(store)
    pipeline = pipeline_on(refusing, clock)
    marked = {wire_event(now=clock())["id"] for _ in range(3)}
    refusing.refused_ids = marked
    members = [wire_event(now=clock()) for _ in range(30)] + [
        wire_event(now=clock(), id=one) for one in marked
    ]
    outcomes = await only(pipeline, batch(*members))
    assert sum(isinstance(outcome, Stored) for outcome in outcomes) == 30
    assert {one.event_id for one in outcomes if isinstance(one, DeadLettered)} == marked
    assert {letter.reason for letter in await letters_of(store)} == {"rejected_by_store"}
    assert await count_of(store) == 30


async def test_a_store_that_is_away_gives_everything_back_and_writes_nothing(
    store: Store, clock: FixedClock
) -> None:
    away = BreakableStore(store)
    pipeline, delivery = pipeline_on(away, clock), batch(wire_event(now=clock()), b"{}")
    away.is_away = True
    assert all(isinstance(outcome, Retry) for outcome in await only(pipeline, delivery))
    away.is_away = False
    assert [type(outcome) for outcome in await only(pipeline, delivery)] == [Stored, DeadLettered]
    assert await count_of(store) == 1


async def test_a_store_that_is_busy_is_tried_again_at_once(store: Store, clock: FixedClock) -> None:
    busy = BreakableStore(store)
    busy.busy_times = 4
    (outcome,) = await only(pipeline_on(busy, clock), single(wire_body(now=clock())))
    assert isinstance(outcome, Stored)


async def test_a_fingerprint_that_vanished_is_registered_again(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, single(wire_body(now=clock())))
    async with store.write() as tx:
        for table in (events, hourly, history, fingerprints, incidents):
            await tx.execute(delete(table))
    (outcome,) = await only(pipeline, single(wire_body(now=clock())))
    assert isinstance(outcome, Stored)
    assert await count_of(store) == 1
    await assert_counts_agree(store)


async def resolve(store: Store, clock: FixedClock) -> None:
    (known,) = await store.read(select(incidents))
    await change_status(store, known.id, Verb.RESOLVE, actor="test", now=clock())


async def test_what_occurred_after_the_resolve_is_a_regression_and_a_new_episode(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, single(wire_body(now=clock())))
    clock.advance(60)
    await resolve(store, clock)
    clock.advance(60)
    regressing = wire_event(now=clock())
    await only(pipeline, batch(regressing))
    (incident,) = await store.read(select(incidents))
    assert (incident.status, incident.episode, incident.resolved_at) == ("open", 2, None)
    assert await count_of(store) == 2
    last = (await store.read(select(history).order_by(history.c.id.desc())))[0]
    assert (last.reason, last.event_id) == ("regressed", regressing["id"])


async def test_what_occurred_before_the_resolve_and_arrives_late_only_counts(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, single(wire_body(now=clock())))
    late = wire_event(now=clock.advance(10))
    clock.advance(timedelta(hours=1))
    await resolve(store, clock)
    clock.advance(timedelta(hours=1))
    await only(pipeline, batch(late))
    (incident,) = await store.read(select(incidents))
    assert (incident.status, incident.episode) == ("resolved", 1)
    assert await count_of(store) == 2


async def test_an_event_of_several_errors_is_judged_by_its_last(store: Store, clock: FixedClock) -> None:
    pipeline, first_at = pipeline_on(store, clock), clock()
    await only(pipeline, single(wire_body(now=clock())))
    clock.advance(60)
    await resolve(store, clock)

    async def tell(last_at: datetime, now: datetime = first_at) -> Any:
        several = wire_event(now=now, count=500, first_at=now.isoformat(), last_at=last_at.isoformat())
        await only(pipeline, batch(several))
        (incident,) = await store.read(select(incidents))
        return incident.status, incident.episode, incident.last_seen_at

    before, after = clock() - timedelta(seconds=30), clock() + timedelta(seconds=30)
    clock.advance(60)
    assert await tell(before) == ("resolved", 1, before)
    assert await tell(after) == ("open", 2, after)
    assert await tell(clock() + timedelta(hours=3)) == ("open", 2, clock()), "clamped like every time"
    assert await tell(first_at, now=after) == ("open", 2, clock()), "a window that ends before it begins"
    assert await count_of(store) == 2001
    await assert_counts_agree(store)


async def test_a_clock_that_is_ahead_is_clamped_and_the_body_keeps_what_it_said(
    store: Store, clock: FixedClock
) -> None:
    ahead = (clock() + timedelta(hours=3)).isoformat()
    await only(pipeline_on(store, clock), single(wire_body(now=clock(), occurred_at=ahead)))
    (stored,) = await store.read(select(events))
    assert stored.occurred_at == clock()
    assert json.loads(stored.doc)["occurred_at"] == ahead


@pytest.mark.parametrize(
    "never_set",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:30:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
async def test_a_time_that_was_never_set_is_that_of_arrival_and_the_body_keeps_what_it_said(
    store: Store, clock: FixedClock, never_set: str
) -> None:
    body = wire_body(now=clock(), occurred_at=never_set, first_at=never_set, last_at=never_set)
    (outcome,) = await only(pipeline_on(store, clock), single(body))
    assert isinstance(outcome, Stored)
    (stored,) = await store.read(select(events))
    assert stored.occurred_at == clock()
    assert json.loads(stored.doc)["occurred_at"] == never_set
    (incident,) = await store.read(select(incidents))
    assert (incident.first_seen_at, incident.last_seen_at) == (clock(), clock())


async def test_a_leap_second_is_the_next_minute_s_first_and_the_event_stays_readable(
    store: Store, clock: FixedClock
) -> None:
    minute = clock().replace(second=0, microsecond=0)
    told = f"{minute - timedelta(minutes=1):%Y-%m-%dT%H:%M}:60Z"
    body = wire_body(now=clock(), occurred_at=told, last_at=told, message="half an emoji").replace(
        b"emoji", rb"emoji \ud83d"
    )
    (outcome,) = await only(pipeline_on(store, clock), single(body))
    assert isinstance(outcome, Stored)
    (stored,) = await store.read(select(events))
    assert stored.occurred_at == minute
    assert decode(stored.doc).occurred_at == minute


async def test_an_unknown_severity_is_medium_and_never_a_dead_letter(store: Store, clock: FixedClock) -> None:
    await only(pipeline_on(store, clock), single(wire_body(now=clock(), severity="apocalyptic")))
    (stored,) = await store.read(select(events))
    assert stored.severity == 2


async def test_a_collapsed_event_counts_as_many_as_it_says(store: Store, clock: FixedClock) -> None:
    await only(pipeline_on(store, clock), batch(wire_event(now=clock(), count=999), wire_event(now=clock())))
    assert await count_of(store) == 1000
    await assert_counts_agree(store)


@pytest.mark.parametrize("field", ["service", "environment", "release", "code", "message", "producer_id"])
async def test_a_nul_in_any_text_is_stored_all_the_same(store: Store, clock: FixedClock, field: str) -> None:
    (outcome,) = await only(pipeline_on(store, clock), single(wire_body(now=clock(), **{field: "a\x00b"})))
    assert isinstance(outcome, Stored)


@pytest.mark.parametrize(
    "fields",
    [
        {"exceptions": [raised("A\x00B")]},
        {"fingerprint": ["a\x00b"]},
        {"exceptions": [raised("E", qualname="a\x00b")]},
        {"tags": {"a\x00b": "c\x00d"}},
        {"template": "a\x00b"},
        {"host": "a\x00b"},
    ],
)
async def test_a_nul_in_what_a_title_is_made_of_is_stored_too(
    store: Store, clock: FixedClock, fields: dict[str, Any]
) -> None:
    (outcome,) = await only(pipeline_on(store, clock), single(wire_body(now=clock(), **fields)))
    assert isinstance(outcome, Stored)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from([*wire_event(), "exceptions", "context", "count", "fingerprint", "first_at", "sdk"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(fields, json_values), max_size=4), st.binary(max_size=60))
async def test_no_body_whatever_it_holds_is_lost_or_ends_the_pipeline(
    store: Store, clock: FixedClock, changes: list[tuple[str, Any]], junk: bytes
) -> None:
    event = wire_event(now=clock()) | dict(changes)
    deliveries = [single(json.dumps(event).encode()), single(junk), batch(wire_event(now=clock()))]
    outcomes = [one for its in await pipeline_on(store, clock).ingest(deliveries) for one in its]
    assert len(outcomes) >= 2
    assert not any(isinstance(one, Retry) for one in outcomes)
    assert isinstance(outcomes[-1], Stored)
    await assert_counts_agree(store)
