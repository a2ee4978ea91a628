"""Digests on both databases: each period's once, with everything that was committed in it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import MergeArguments, MuteArguments, UnmergeArguments
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import pending
from faultwire_shared.codec import BATCH_TYPE

LOG = '[receivers.log]\ntype = "log"\n'
SHIPPED = parse_policy(LOG, shipped=shipped_text())

pytestmark = pytest.mark.may_block("a zone's file is read once")


class Worker:
    """A pipeline, a digest maker and a dispatcher over one store."""

    def __init__(self, store: Store, clock: FixedClock, policy: Policy = SHIPPED) -> None:
        self.store, self.clock, self.sender = store, clock, RecordingSender()
        metrics = Metrics()
        self.maker = DigestMaker(store, policy, clock=clock)
        self.dispatcher = Dispatcher(store, {"log": self.sender}, metrics=metrics, clock=clock)
        self._pipeline = Pipeline(store, metrics=metrics, evaluator=Evaluator(policy), clock=clock)

    async def occur(self, kind: str, *, severity: str = "medium", **fields: Any) -> None:
        event = wire_event(now=self.clock(), severity=severity, fingerprint=[kind], message=kind, **fields)
        delivery = read_delivery(json.dumps([event]).encode(), BATCH_TYPE, origin="test", handle=None)
        await self._pipeline.ingest([delivery])

    async def digests_at(self, moment: datetime) -> list[dict[str, int]]:
        """Move to a time; what the digests that then go out tell, by title."""
        self.clock.now = moment
        before = len(self.sender.received)
        await self.maker.run_once()
        await self.dispatcher.run_once()
        sent = self.sender.received[before:]
        assert all(one.kind is NotificationKind.DIGEST for one in sent)
        return [{line.title: line.recent_count or 0 for line in one.incidents} for one in sent]


def utc(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


async def test_a_day_s_medium_incidents_are_told_once_at_the_hour_with_the_day_s_counts(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=3)
    clock.advance(60)
    await worker.occur("a")
    await worker.occur("b")
    await worker.occur("rare", severity="low")
    assert await worker.digests_at(utc(24, 8, 59, 59)) == []
    assert await worker.digests_at(utc(24, 9)) == [{"a": 4, "b": 1}]
    (sent,) = worker.sender.received
    assert (sent.idempotency_key, sent.since, sent.until) == (
        f"medium:digest-{int(utc(24, 9).timestamp())}:log",
        utc(23, 9),
        utc(24, 9),
    )
    assert {line.reason for line in sent.incidents} == {NotificationReason.NEW}
    await worker.occur("a")
    assert await worker.digests_at(utc(25, 9)) == [{"a": 1}]
    assert worker.sender.received[-1].incidents[0].reason is NotificationReason.CONTINUED
    assert await worker.digests_at(utc(26, 9)) == []
    assert await worker.digests_at(utc(30, 9)) == [{"rare": 1}]


async def test_digests_that_were_missed_are_told_once_together(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    for day in (23, 24, 25):
        clock.now = utc(day, 12)
        await worker.occur("a", count=2)
    assert await Worker(store, clock).digests_at(utc(27, 4)) == [{"a": 6}]
    assert await store.read(select(pending)) == []
    assert await worker.digests_at(utc(27, 9)) == []


async def test_workers_that_race_make_each_digest_once(store: Store, clock: FixedClock) -> None:
    workers = [Worker(store, clock) for _ in range(4)]
    await asyncio.gather(*(worker.occur(kind) for worker in workers for kind in "abc"))
    clock.now = utc(24, 9)
    assert sum(await asyncio.gather(*(worker.maker.run_once() for worker in workers))) == 1
    assert await workers[0].digests_at(utc(24, 9)) == [{"a": 4, "b": 4, "c": 4}]


async def test_what_is_committed_while_a_digest_is_due_or_made_is_in_exactly_one(
    store: Store, clock: FixedClock
) -> None:
    slow, worker = Worker(store, FixedClock()), Worker(store, clock)
    await worker.occur("a", count=10)
    clock.now = utc(24, 9, 0, 1)
    await worker.occur("a", count=100)  # after the hour, before its digest is made
    assert await worker.digests_at(utc(24, 9, 0, 5)) == [{"a": 10}]
    slow.clock.now = utc(24, 8, 59, 59)
    await slow.occur("a", count=1000)  # judged before the hour, committed after the digest
    await slow.occur("late", count=7)
    assert await worker.digests_at(utc(24, 9, 0, 9)) == []
    assert await worker.digests_at(utc(25, 9)) == [{"a": 1100, "late": 7}]


async def test_a_regression_shows_as_one_and_what_was_resolved_is_told_all_the_same(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a")
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    assert await worker.digests_at(utc(24, 9)) == [{"a": 1}]
    await worker.occur("a")
    assert await worker.digests_at(utc(25, 9)) == [{"a": 1}]
    assert worker.sender.received[-1].incidents[0].reason is NotificationReason.REGRESSED


async def test_what_is_pending_for_a_rule_that_is_gone_is_told_at_its_old_hour(
    store: Store, clock: FixedClock
) -> None:
    await Worker(store, clock).occur("a")
    other = parse_policy(LOG + '[rules.all]\non = "continued"\nsend = "weekly"\n')
    worker = Worker(store, clock, other)
    assert await worker.digests_at(utc(24, 9) - timedelta(seconds=1)) == []
    assert await worker.digests_at(utc(24, 9)) == [{"a": 1}]


async def test_a_muted_incident_is_a_line_that_says_what_its_mute_held_back(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", severity="critical")
    await worker.dispatcher.run_once()
    await act_with(store, 1, MuteArguments(for_ever=True, reason="a partner's fault"), now=clock.advance(1))
    await worker.occur("a", severity="critical", count=200)
    await worker.dispatcher.run_once()
    assert len(worker.sender.received) == 1, "its growth was held back"
    assert await worker.digests_at(utc(24, 9)) == [{"a": 200}]
    digest = worker.sender.received[-1]
    (line,) = digest.incidents
    assert (line.muted, line.held_back) == ("for ever", 1)
    assert "muted for ever; 1 notification held back" in message_of(digest).text


async def test_a_digest_counts_the_events_of_merged_incidents_once(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=10)
    await worker.occur("b", count=100)
    assert await worker.digests_at(utc(24, 9)) == [{"a": 10, "b": 100}]
    await worker.occur("b", count=5)
    await act_with(store, 2, MergeArguments(into="INC-1"), now=clock.advance(1))
    await worker.occur("a", count=2)
    await worker.occur("b", count=3)
    assert await worker.digests_at(utc(25, 9)) == [{"a": 10}]
    await worker.occur("a", count=4)
    await act_with(store, 2, UnmergeArguments(), now=clock.advance(1))
    await worker.occur("b", count=6)
    assert await worker.digests_at(utc(26, 9)) == [{"a": 4, "b": 6}]
