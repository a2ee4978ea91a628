"""What batches write for those who are to be told, on both databases."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.tools.acting import change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.fakes import BreakableStore

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox, pending, windows
from faultwire_shared.codec import BATCH_TYPE

LOG = '[receivers.log]\ntype = "log"\n'
SHIPPED = parse_policy(LOG, shipped=shipped_text())

pytestmark = pytest.mark.may_block("a zone's file is read once")


def pipeline_on(store: Store, clock: FixedClock, text: str | None = None) -> Pipeline:
    policy = SHIPPED if text is None else parse_policy(LOG + text)
    return Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy), clock=clock, sleep=do_not_wait)


async def do_not_wait(_: float) -> None:
    return


def batch(*members: dict[str, Any]) -> Delivery:
    return read_delivery(json.dumps(members).encode(), BATCH_TYPE, origin="test", handle=None)


def event(clock: FixedClock, kind: str = "a", *, severity: str = "critical", **fields: Any) -> dict[str, Any]:
    fields = {"fingerprint": [kind], "message": kind} | fields
    return wire_event(now=fields.pop("at", clock()), severity=severity, **fields)


async def told(store: Store) -> list[str]:
    rows = await store.read(select(outbox.c.idempotency_key).order_by(outbox.c.id))
    return [row.idempotency_key for row in rows]


async def waiting(store: Store) -> list[Any]:
    return list(await store.read(select(pending).order_by(pending.c.rule, pending.c.incident_id)))


async def resolve(store: Store, clock: FixedClock, incident: int = 1) -> None:
    await change_status(store, incident, Verb.RESOLVE, actor="ana", now=clock())


async def test_a_new_critical_incident_is_in_the_outbox_with_its_first_event(
    store: Store, clock: FixedClock
) -> None:
    first = event(clock)
    await pipeline_on(store, clock).ingest([batch(first)])
    (row,) = await store.read(select(outbox))
    assert row.idempotency_key == "critical:INC-1:1:new:log"
    assert (row.state, row.urgent, row.severity, row.event_id) == ("waiting", True, 4, first["id"])
    assert (row.created_at, row.due_at, row.remind_seconds) == (clock(), clock(), 3600)


async def test_redelivery_and_another_worker_tell_nothing_twice(store: Store, clock: FixedClock) -> None:
    events = [batch(event(clock, kind)) for kind in "abc"]
    await asyncio.gather(*(pipeline_on(store, clock).ingest(events) for _ in range(3)))
    assert sorted(await told(store)) == [f"critical:INC-{number}:1:new:log" for number in (1, 2, 3)]


async def test_growth_regression_and_a_rise_of_severity_are_told_once_each(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await pipeline.ingest([batch(event(clock, severity="high"))])
    await pipeline.ingest([batch(*(event(clock, severity="high") for _ in range(9)))])
    await pipeline.ingest([batch(event(clock, severity="high"), event(clock, severity="high"))])
    await pipeline.ingest([batch(event(clock))])
    await pipeline.ingest([batch(event(clock, count=2000))])
    await resolve(store, clock)
    clock.advance(1)
    await pipeline.ingest([batch(event(clock))])
    assert await told(store) == [
        "high:INC-1:1:new:log",
        "high:INC-1:1:growth-10:log",
        "critical:INC-1:1:severity_rose-critical:log",
        "critical:INC-1:1:growth-1000:log",
        "critical:INC-1:2:regressed:log",
    ]


async def test_what_occurred_before_the_resolve_tells_nothing_however_much_it_is(
    store: Store, clock: FixedClock
) -> None:
    pipeline, before = pipeline_on(store, clock), clock()
    await pipeline.ingest([batch(event(clock))])
    clock.advance(60)
    await resolve(store, clock)
    await pipeline.ingest([batch(event(clock, at=before, count=5000))])
    assert await told(store) == ["critical:INC-1:1:new:log"]


async def test_high_is_due_within_five_minutes_of_its_first_occurrence_and_late_events_in_half_a_minute(
    store: Store, clock: FixedClock
) -> None:
    now = clock()
    minute_ago, hour_ago = now - timedelta(minutes=1), now - timedelta(hours=1)
    first = event(clock, severity="high", at=minute_ago)
    late = event(clock, "late", severity="high", at=hour_ago)
    await pipeline_on(store, clock).ingest([batch(event(clock, severity="high"), first, late)])
    rows = await store.read(select(outbox).order_by(outbox.c.due_at))
    assert [row.due_at for row in rows] == [now + timedelta(seconds=30), minute_ago + timedelta(seconds=210)]
    assert {row.urgent for row in rows} == {False}


async def test_medium_and_low_are_pending_once_for_each_digest(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    for _ in range(3):
        await pipeline.ingest([batch(event(clock, severity="medium"), event(clock, "b", severity="low"))])
    rows = await waiting(store)
    assert [(row.rule, row.reason, row.count_before) for row in rows] == [
        ("low", "new", 0),
        ("medium", "new", 0),
    ]
    assert [row.due_at.isoformat() for row in rows] == [
        "2026-11-30T09:00:00+00:00",
        "2026-11-24T09:00:00+00:00",
    ]
    assert await told(store) == []
    clock.advance(timedelta(days=1))
    await pipeline.ingest([batch(event(clock, severity="medium", count=4))])
    assert [(row.reason, row.count_before) for row in (await waiting(store))[1:]] == [
        ("new", 0),
        ("continued", 3),
    ]


async def test_an_incident_that_is_pending_costs_no_statement_and_near_the_digest_one(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    before = clock()
    await pipeline.ingest([batch(event(clock, severity="medium"))])
    clock.advance(60)
    await pipeline.ingest([batch(event(clock, severity="medium"))])
    (row,) = await waiting(store)
    assert row.touched_at == before, "a second event writes nothing"
    clock.now = datetime(2026, 11, 24, 8, 57, tzinfo=UTC)
    await pipeline.ingest([batch(event(clock, severity="medium"))])
    (row,) = await waiting(store)
    assert row.touched_at == clock(), "three minutes before the digest its row is locked"


async def test_a_batch_that_is_not_committed_is_not_remembered_as_pending(
    store: Store, clock: FixedClock
) -> None:
    breakable = BreakableStore(store)
    pipeline = pipeline_on(breakable, clock)
    bad = event(clock, severity="medium")
    breakable.refused_ids.add(bad["id"])
    await pipeline.ingest([batch(bad)])
    assert await waiting(store) == []
    await pipeline.ingest([batch(event(clock, severity="medium"))])
    assert len(await waiting(store)) == 1


async def test_a_digest_rule_with_conditions_of_its_own_takes_what_matches_and_nothing_else(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(
        store,
        clock,
        '[rules.eu]\non = "continued"\nsend = "daily"\nenvironment = "prod*"\ntags = { region = "eu-*" }\n',
    )
    same: dict[str, Any] = {"severity": "high", "fingerprint": ["one"]}
    await pipeline.ingest([batch(event(clock, tags={"region": "us-1"}, **same))])
    await pipeline.ingest([batch(event(clock, tags={"region": "eu-1"}, environment="staging", **same))])
    assert await waiting(store) == []
    await pipeline.ingest([batch(event(clock, tags={"region": "eu-1"}, **same))])
    (row,) = await waiting(store)
    assert (row.rule, row.count_before) == ("eu", 2)


STORM = """
[rules.storm]
service = "pay*"
events = 5
window = "12m"
per = "service"
send = "now"
"""


async def test_so_many_events_within_a_window_are_told_once_whichever_worker_counts_them(
    store: Store, clock: FixedClock
) -> None:
    workers = [pipeline_on(store, clock, STORM) for _ in range(3)]
    await asyncio.gather(
        *(
            worker.ingest([batch(*(event(clock, kind, service="payments") for kind in "ab"))])
            for worker in workers
        ),
        workers[0].ingest([batch(event(clock, service="shop", count=100))]),
    )
    (row,) = await store.read(select(outbox))
    assert row.detail == "6 events of service payments within 0:12:00; the rule says 5"
    assert (row.reason, row.episode) == ("threshold", 0)
    clock.advance(60)
    await workers[1].ingest([batch(event(clock, service="payments", count=50))])
    assert len(await told(store)) == 1, "the storm goes on"
    clock.advance(timedelta(minutes=12))
    await workers[1].ingest([batch(event(clock, service="payments", count=50))])
    assert len(await told(store)) == 2


async def test_duplicates_and_what_comes_too_late_count_in_no_window(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock, STORM)
    once = [batch(event(clock, service="payments", count=4))]
    await pipeline.ingest(once)
    await pipeline.ingest(once)
    late = clock() - timedelta(minutes=6)
    await pipeline.ingest([batch(event(clock, service="payments", at=late))])
    assert await told(store) == []
    just = clock() - timedelta(minutes=4)
    await pipeline.ingest([batch(event(clock, service="payments", at=just))])
    assert len(await told(store)) == 1


async def test_each_incident_has_a_window_of_its_own_and_new_incidents_count_once(
    store: Store, clock: FixedClock
) -> None:
    text = (
        '[rules.each]\nevents = 3\nwindow = "12m"\nsend = "now"\n'
        '[rules.many]\nnew_incidents = 3\nwindow = "12m"\nsend = "now"\n'
    )
    pipeline = pipeline_on(store, clock, text)
    for kind in "ab":
        await pipeline.ingest([batch(event(clock, kind), event(clock, kind))])
    assert await told(store) == []
    await pipeline.ingest([batch(event(clock, "b"), event(clock, "c"))])
    rows: Sequence[Any] = await store.read(select(outbox).order_by(outbox.c.rule))
    assert [(row.rule, row.detail.split(";")[0]) for row in rows] == [
        ("each", "3 events of incident INC-2 within 0:12:00"),
        ("many", "3 new incidents within 0:12:00"),
    ]
    assert rows[0].incident_id == 2
    assert {row.scope for row in await store.read(select(windows))} == {"INC-1", "INC-2", "INC-3", ""}
