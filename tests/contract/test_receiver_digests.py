"""Digests at a receiver's own hour, through changes of the clock and the file: each event in one of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.digest_preview import find_digest_rule, preview
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import pending
from faultwire_shared.codec import BATCH_TYPE

SECOND, NONE = timedelta(seconds=1), timedelta()
DAILY = '[rules.all]\non = ["new", "continued"]\nsend = "daily"\n'

pytestmark = pytest.mark.may_block("a zone's file is read once")


class Bench:
    """A worker of one policy after the other, with a log for everybody and a receiver with its own hour."""

    def __init__(self, store: Store, clock: FixedClock, policy: Policy) -> None:
        self.store, self.clock, metrics = store, clock, Metrics()
        self.senders = {name: RecordingSender(name) for name in ("log", "team")}
        self.evaluator = Evaluator(policy)
        self.maker = DigestMaker(store, policy, clock=clock)
        self.dispatcher = Dispatcher(
            store, self.senders, metrics=metrics, clock=clock, digests=policy.digests
        )
        self.pipeline = Pipeline(store, metrics=metrics, evaluator=self.evaluator, clock=clock)

    def use(self, policy: Policy) -> None:
        self.evaluator.use(policy)
        self.maker.use(policy)

    async def occur(self, at: str, count: int = 1) -> None:
        self.clock.now = utc(at)
        event = wire_event(now=self.clock(), severity="medium", fingerprint=["a"], message="a", count=count)
        delivery = read_delivery(json.dumps([event]).encode(), BATCH_TYPE, origin="test", handle=None)
        await self.pipeline.ingest([delivery])

    async def told_at(self, at: str) -> dict[str, int]:
        """Move to a time; the events that each receiver is then told of."""
        self.clock.now = utc(at)
        before = {name: len(one.received) for name, one in self.senders.items()}
        await self.maker.run_once()
        await self.dispatcher.run_once()
        sent = {name: one.received[before[name] :] for name, one in self.senders.items()}
        return {
            name: sum(line.recent_count or 0 for one in those for line in one.incidents)
            for name, those in sent.items()
            if those
        }


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def policy_of(own: str, *, file: str = "", rules: str = DAILY) -> Policy:
    return parse_policy(
        f'{file}\n[receivers.log]\ntype = "log"\n[receivers.team]\ntype = "log"\n{own}\n{rules}'
    )


async def test_two_receivers_of_one_rule_have_their_digests_at_hours_of_their_own(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, policy_of('digest_hour = 7\ndigest_zone = "Asia/Tokyo"'))  # 22:00 UTC
    await bench.occur("2026-11-23T12:00", 3)
    assert await bench.told_at("2026-11-23T21:59:59") == {}
    assert await bench.told_at("2026-11-23T22:00") == {"team": 3}
    await bench.occur("2026-11-24T08:59", 10)
    assert await bench.told_at("2026-11-24T09:00") == {"log": 13}
    assert await bench.told_at("2026-11-24T22:00") == {"team": 10}
    assert await bench.told_at("2026-11-25T09:00") == {}
    (sent, _) = bench.senders["team"].received
    assert (sent.since, sent.until) == (utc("2026-11-22T22:00"), utc("2026-11-23T22:00"))


async def test_a_receiver_s_weekday_moves_its_weekly_digest_and_no_daily_one(
    store: Store, clock: FixedClock
) -> None:
    weekly = '[rules.rare]\non = "continued"\nsend = "weekly"\n'
    bench = Bench(store, clock, policy_of('digest_weekday = "friday"', rules=weekly))
    await bench.occur("2026-11-23T12:00", 2)
    assert await bench.told_at("2026-11-27T09:00") == {"team": 2}
    assert await bench.told_at("2026-11-30T09:00") == {"log": 2}
    bench.use(policy_of('digest_weekday = "friday"'))
    await bench.occur("2026-11-30T12:00", 5)
    assert await bench.told_at("2026-12-01T09:00") == {"log": 5, "team": 5}


@pytest.mark.parametrize(
    ("hour", "dues"),
    [
        # The clocks of Berlin are put forward on 29 March, from 02:00 to 03:00.
        pytest.param(9, ("2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"), id="spring"),
        pytest.param(2, ("2026-03-28T01:00", "2026-03-29T01:00", "2026-03-30T00:00"), id="hour-left-out"),
        # They are put back on 25 October, from 03:00 to 02:00.
        pytest.param(9, ("2026-10-24T07:00", "2026-10-25T08:00", "2026-10-26T08:00"), id="autumn"),
        pytest.param(2, ("2026-10-24T00:00", "2026-10-25T00:00", "2026-10-26T01:00"), id="hour-twice"),
    ],
)
async def test_on_days_on_which_the_clock_changes_each_event_is_told_once_at_the_hour_on_the_wall(
    store: Store, clock: FixedClock, hour: int, dues: tuple[str, str, str]
) -> None:
    bench = Bench(store, clock, policy_of(f'digest_hour = {hour}\ndigest_zone = "Europe/Berlin"'))
    before = utc(dues[0]) - timedelta(hours=20)
    for due in map(utc, dues):
        for part in (1, 2, 3):
            await bench.occur((before + (due - before) * part / 4).replace(tzinfo=None).isoformat())
        told = [await bench.told_at((due - ago).replace(tzinfo=None).isoformat()) for ago in (SECOND, NONE)]
        assert [one.get("team", 0) for one in told] == [0, 3]
        before = due


async def test_an_empty_digest_comes_at_each_receiver_s_own_hour(store: Store, clock: FixedClock) -> None:
    wanted = policy_of("digest_hour = 7", file='when_empty = "send"')
    bench = Bench(store, clock, wanted)
    await bench.occur("2026-11-23T12:00", 3)
    assert await bench.told_at("2026-11-24T07:00") == {"team": 3}
    assert await bench.told_at("2026-11-24T09:00") == {"log": 3}
    assert await bench.told_at("2026-11-25T07:00") == {"team": 0}
    assert await bench.told_at("2026-11-25T07:30") == {}
    assert await bench.told_at("2026-11-25T09:00") == {"log": 0}
    periods = [(one.since, one.until) for one in bench.senders["team"].received]
    assert periods[1] == (utc("2026-11-24T07:00"), utc("2026-11-25T07:00"))


async def test_what_a_digest_told_early_is_not_told_at_its_old_hour_nor_makes_a_digest_there(
    store: Store, clock: FixedClock
) -> None:
    late, early = (policy_of("", file=f"digest_hour = {hour}") for hour in (18, 8))
    bench = Bench(store, clock, late)
    await bench.occur("2026-11-23T06:00", 3)
    bench.use(early)
    await bench.occur("2026-11-23T07:00", 10)
    assert await bench.told_at("2026-11-23T08:00") == {"log": 13, "team": 13}
    assert await bench.told_at("2026-11-23T18:00") == {}
    assert await store.read(select(pending)) == []
    seen = await preview(store, *find_digest_rule(early, "all", "team"), now=utc("2026-11-23T19:00"))
    assert seen.since == utc("2026-11-23T08:00")


async def test_a_preview_counts_what_is_early_as_the_digest_will(store: Store, clock: FixedClock) -> None:
    late, early = (policy_of("", file=f"digest_hour = {hour}") for hour in (18, 8))
    bench = Bench(store, clock, late)
    await bench.occur("2026-11-23T06:00", 3)
    bench.use(early)
    await bench.occur("2026-11-23T07:00", 10)
    before = await store.read(select(pending))
    seen = await preview(store, *find_digest_rule(early, "all", "team"), now=utc("2026-11-23T07:30"))
    assert [line.recent_count for line in seen.incidents] == [13]
    assert await store.read(select(pending)) == before
    assert await bench.told_at("2026-11-23T08:00") == {"log": 13, "team": 13}


@pytest.mark.parametrize("before_and_after", [("UTC", "Europe/Berlin"), ("UTC", "America/New_York")])
async def test_a_change_of_the_zone_between_two_digests_loses_nothing_and_tells_nothing_twice(
    store: Store, clock: FixedClock, before_and_after: tuple[str, str]
) -> None:
    before, after = (policy_of("", file=f'digest_zone = "{zone}"') for zone in before_and_after)
    bench = Bench(store, clock, before)
    told = 0
    for day in (23, 24, 25, 26):
        for hour in range(0, 24, 4):
            if (day, hour) == (24, 8):
                bench.use(after)
            if (day, hour) == (25, 20):
                bench.use(before)
            await bench.occur(f"2026-11-{day}T{hour:02}:30")
            told += (await bench.told_at(f"2026-11-{day}T{hour:02}:59")).get("log", 0)
    (left,) = await store.read(select(func.count().label("rows")).select_from(pending))
    told += (await bench.told_at("2026-11-28T23:00")).get("log", 0)
    assert (told, left.rows) == (4 * 6, 2)
    periods: list[Any] = [(one.since, one.until) for one in bench.senders["log"].received]
    assert [since for since, _ in periods[1:]] == [until for _, until in periods[:-1]]
