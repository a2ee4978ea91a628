"""Quiet hours of a receiver: what they hold back, what they never do, and how it goes out when they end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.contract.test_dispatcher import Bench
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox import claim as claim_module
from faultwire_consumer.store.outbox.resend import resend
from faultwire_consumer.store.schema.notify import outbox_stages

POLICY = parse_policy(
    """
[receivers.log]
type = "log"
quiet_hours = ["mon-fri 22:00-07:00", "sat-sun"]
quiet_zone = "Europe/Berlin"
[rules.now]
severity = ["critical", "high"]
on = ["new", "regressed", "growth"]
send = "now"
[rules.grouped]
severity = "medium"
on = "new"
send = "within 5m"
[rules.daily]
severity = "low"
on = ["new", "continued"]
send = "daily"
digest_hour = 3
"""
)

pytestmark = pytest.mark.may_block("a zone's file is read once")


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def bench(store: Store, clock: FixedClock) -> Bench:
    """A worker at 23:30 of a Monday in Berlin."""
    clock.now = utc(23, 22, 30)
    bench = Bench(store, clock, policy=POLICY)
    bench.dispatcher = bench.another(digests=POLICY.digests, quiet=POLICY.quiet)
    return bench


@pytest.mark.parametrize(
    ("severity", "at", "is_held"),
    [
        ("critical", utc(23, 22, 30), False),
        ("high", utc(23, 22, 30), True),
        ("high", utc(24, 5, 59), True),
        ("high", utc(24, 6, 0), False),
        ("high", utc(24, 20, 59), False),
        ("high", utc(28, 12), True),
        ("critical", utc(28, 12), False),
        ("medium", utc(23, 22, 30), True),
        ("medium", utc(24, 6, 0), False),
    ],
)
async def test_a_receiver_s_quiet_hours_hold_back_everything_but_what_is_critical(
    bench: Bench, severity: str, at: datetime, is_held: bool
) -> None:
    bench.clock.now = at
    await bench.occur("a", severity=severity)
    sent = await bench.turn(210 if severity == "medium" else 0)
    assert (not sent) is is_held
    row, *_ = await bench.rows()
    assert ((row.state, row.state_reason) == ("waiting", "quiet_hours")) is is_held


async def test_what_was_held_back_goes_out_as_one_summary_when_the_quiet_hours_end(bench: Bench) -> None:
    for kind in "abcdefghijklmno":
        await bench.occur(kind, severity="high")
        assert await bench.turn(1) == []
    rows = await bench.rows()
    assert {(row.due_at, row.state_reason) for row in rows} == {(utc(24, 6), "quiet_hours")}
    bench.clock.now = utc(24, 5, 59)
    assert await bench.turn() == []
    assert len(await bench.turn(60)) == 1
    (sent,) = bench.sender.received
    assert sent.kind is NotificationKind.SUMMARY
    assert sent.reason is NotificationReason.NEW, "it is no storm"
    assert len(sent.incidents) == 15
    assert "Held back until the quiet hours were over." in message_of(sent).text
    assert {row.state for row in await bench.rows()} == {"sent"}
    assert await bench.turn(3600) == []


async def test_the_trace_says_until_when_it_was_held_and_what_it_went_out_with(bench: Bench) -> None:
    await bench.occur("a", "b", severity="high")
    for _ in range(3):
        await bench.turn(60)
    bench.clock.now = utc(24, 6)
    await bench.turn()
    stages = await bench.store.read(select(outbox_stages).order_by(outbox_stages.c.id))
    told = [(one.outbox_id, one.decision, one.reason) for one in stages if one.stage == "awake"]
    assert told == [
        (1, "held", "quiet_hours"),
        (2, "held", "quiet_hours"),
        (1, "passed", "clear"),
        (2, "passed", "clear"),
        (1, "passed", "quiet_hours"),
        (2, "carried", "quiet_hours"),
    ]
    assert stages[0].detail == f"until {utc(24, 6).isoformat()}"


async def test_a_critical_one_of_the_same_rule_takes_nothing_along_that_is_held(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.turn()
    await bench.occur("b", severity="critical")
    assert await bench.turn(300) == ["now:INC-2:1:new:log"]
    assert (await bench.states())[0] == ("waiting", "quiet_hours")


async def test_what_is_over_by_the_end_of_the_quiet_hours_is_not_told(bench: Bench) -> None:
    await bench.occur("a", "b", severity="high")
    await bench.turn()
    await bench.change(Verb.RESOLVE)
    bench.clock.now = utc(24, 6)
    assert await bench.turn() == ["now:INC-2:1:new:log"]
    assert (await bench.states())[0] == ("stopped", "resolved")


async def test_what_is_gathered_when_the_quiet_hours_begin_is_held_too(bench: Bench) -> None:
    bench.clock.now = utc(23, 20, 59)
    await bench.occur("a", severity="medium")
    assert await bench.turn(210) == []
    assert await bench.states() == [("waiting", "quiet_hours")]
    bench.clock.now = utc(24, 6)
    assert await bench.turn() == ["grouped:INC-1:1:new:log"]


async def test_a_digest_of_the_night_comes_by_itself_in_the_morning(bench: Bench) -> None:
    maker = DigestMaker(bench.store, POLICY, clock=bench.clock)
    await bench.occur("a", severity="low", count=4)
    await bench.occur("b", severity="high")
    await bench.turn()
    bench.clock.now = utc(24, 3)
    assert await maker.run_once() == 1
    assert await bench.turn() == []
    bench.clock.now = utc(24, 6)
    assert sorted(await bench.turn()) == [
        f"daily:digest-{int(utc(24, 3).timestamp())}:log",
        "now:INC-2:1:new:log",
    ]
    assert {one.kind for one in bench.sender.received} == {NotificationKind.DIGEST, NotificationKind.INCIDENT}


async def test_more_than_one_claim_reads_is_held_and_let_go_and_is_in_nobody_s_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_module, "CLAIM_MAX", 3)
    await bench.occur(*"abcdefg", severity="medium")
    bench.clock.advance(210)
    for _ in range(4):
        assert await bench.turn() == []
    assert {state for _, state in await bench.states()} == {"quiet_hours"}
    await bench.occur("z", severity="low")
    async with bench.store.write() as tx:
        waiting = await claim_module.load_due(tx, claim_module.Address("log", False), now=bench.clock())
    assert waiting.due == []
    bench.clock.now = utc(24, 6)
    await bench.turn()
    assert [len(one.incidents) for one in bench.sender.received] == [3, 3, 1]


async def test_what_an_operator_has_sent_again_does_not_wait_for_the_morning(bench: Bench) -> None:
    bench.clock.now = utc(23, 12)
    await bench.occur("a", severity="high")
    assert len(await bench.turn()) == 1
    bench.clock.now = utc(23, 23)
    async with bench.store.write() as tx:
        await resend(tx, 1, detail="ana", now=bench.clock())
    assert await bench.turn() == ["now:INC-1:1:new:log"]


async def test_a_time_that_was_asked_for_is_no_latency(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.turn()
    bench.clock.now = utc(24, 6)
    await bench.turn()
    samples: list[Any] = [
        sample
        for metric in bench.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "faultwire_alert_latency_seconds_count"
    ]
    assert sum(sample.value for sample in samples) == 0


async def test_quiet_hours_end_by_the_wall_on_the_days_on_which_the_clock_changes(
    store: Store, clock: FixedClock
) -> None:
    for before, until in (("2026-03-28T23:00", "2026-03-29T05:00"), ("2026-10-24T22:00", "2026-10-25T06:00")):
        policy = parse_policy(
            '[receivers.log]\ntype = "log"\nquiet_hours = "daily 22:00-07:00"\nquiet_zone = "Europe/Berlin"\n'
            '[rules.now]\non = "new"\nsend = "now"\n'
        )
        clock.now = datetime.fromisoformat(before).replace(tzinfo=UTC)
        bench = Bench(store, clock, policy=policy)
        bench.dispatcher = bench.another(quiet=policy.quiet)
        await bench.occur(before, severity="high")
        await bench.turn()
        clock.now = datetime.fromisoformat(until).replace(tzinfo=UTC) - timedelta(seconds=1)
        assert await bench.turn() == []
        assert len(await bench.turn(1)) == 1
