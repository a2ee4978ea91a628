"""From the outbox to the sender, on both databases, by a clock that the tests move."""

import asyncio
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.recording import RecordingSender
from tests.tools.waiting import until

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    LinkArguments,
    MergeArguments,
    MuteArguments,
)
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify import claim
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.sender import Permanent, SendReason, Transient
from faultwire_consumer.notify.stages import Decided, decide
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import outbox, outbox_attempts, outbox_stages
from faultwire_shared.codec import BATCH_TYPE

LOG = '[receivers.log]\ntype = "log"\n'
SHIPPED = parse_policy(LOG, shipped=shipped_text())

pytestmark = [
    pytest.mark.may_block("a zone's file is read once"),
    pytest.mark.patient("dispatchers side by side wait for each other"),
]


class Bench:
    """A pipeline and a dispatcher with a recording sender for each receiver, on one clock."""

    def __init__(
        self, store: Store, clock: FixedClock, *, policy: Policy = SHIPPED, new_per_minute: int = 500
    ) -> None:
        self.store, self.clock, self.metrics = store, clock, Metrics()
        self.senders = {one.name: RecordingSender(one.name) for one in policy.receivers}
        self.sender = next(iter(self.senders.values()))
        """The first receiver's."""
        self.dispatcher = self.another()
        self.pipeline = Pipeline(
            store,
            metrics=self.metrics,
            evaluator=Evaluator(policy, wake=self.dispatcher.wake),
            new_incidents_per_minute=new_per_minute,
            clock=clock,
        )

    def another(self, **settings: Any) -> Dispatcher:
        """One more dispatcher, as another worker has one."""
        return Dispatcher(
            self.store, self.senders, metrics=self.metrics, clock=self.clock, rng=random.Random(1), **settings
        )

    async def occur(self, *kinds: str, severity: str = "critical", **fields: Any) -> None:
        """One batch, an event of each kind."""
        events = [
            wire_event(now=self.clock(), severity=severity, fingerprint=[kind], message=kind, **fields)
            for kind in kinds
        ]
        delivery = read_delivery(json.dumps(events).encode(), BATCH_TYPE, origin="test", handle=None)
        await self.pipeline.ingest([delivery])

    async def turn(self, seconds: float = 0) -> list[str]:
        """Move the clock on, send what is due; the keys of what went out."""
        self.clock.advance(seconds)
        before = len(self.sender.received)
        await self.dispatcher.run_once()
        return self.sender.keys[before:]

    async def change(self, verb: Verb, incident: int = 1) -> None:
        await change_status(self.store, incident, verb, actor="ana", now=self.clock())

    async def rows(self) -> list[Any]:
        return list(await self.store.read(select(outbox).order_by(outbox.c.id)))

    async def states(self) -> list[tuple[str, str | None]]:
        return [(row.state, row.state_reason) for row in await self.rows()]


@pytest.fixture
def bench(store: Store, clock: FixedClock) -> Bench:
    return Bench(store, clock)


async def test_a_critical_incident_is_sent_at_once_and_marked_with_its_attempt(bench: Bench) -> None:
    await bench.occur("a")
    assert await bench.turn() == ["critical:INC-1:1:new:log"]
    (sent,) = bench.sender.received
    assert (sent.kind, sent.reason) == (NotificationKind.INCIDENT, NotificationReason.NEW)
    (incident,) = sent.incidents
    assert (incident.id, incident.title, incident.count, incident.service) == ("INC-1", "a", 1, "billing")
    row, _ = await bench.rows()
    assert (row.state, row.attempts, row.lease_token) == ("sent", 1, None)
    (attempt,) = await bench.store.read(select(outbox_attempts))
    assert (attempt.number, attempt.outcome) == (1, "sent")
    stages = await bench.store.read(select(outbox_stages).order_by(outbox_stages.c.id))
    assert [(one.stage, one.decision, one.reason) for one in stages] == [
        ("open", "passed", "clear"),
        ("whole", "passed", "clear"),
        ("unmuted", "passed", "clear"),
        ("unacknowledged", "passed", "clear"),
        ("unsilenced", "passed", "clear"),
        ("throttle", "passed", "clear"),
    ]
    assert await bench.turn() == []


async def test_critical_is_reminded_of_every_hour_while_open_and_unacknowledged(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    assert await bench.turn(3599) == []
    assert await bench.turn(1) == ["critical:INC-1:1:reminder-1:log"]
    await bench.change(Verb.ACKNOWLEDGE)
    assert await bench.turn(3600) == []
    assert (await bench.states())[-1] == ("waiting", "acknowledged")
    await bench.change(Verb.REOPEN)
    assert await bench.turn(3600) == ["critical:INC-1:1:reminder-2:log"]
    await bench.change(Verb.RESOLVE)
    assert await bench.turn(3600) == []
    assert (await bench.states())[-1] == ("stopped", "resolved")


async def test_high_incidents_that_come_together_are_told_together_within_their_time(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    bench.clock.advance(100)
    await bench.occur("b", "c", severity="high")
    assert await bench.turn(109) == []
    (key,) = await bench.turn(1)
    (sent,) = bench.sender.received
    assert (sent.kind, sent.reason, sent.idempotency_key) == (
        NotificationKind.SUMMARY,
        NotificationReason.NEW,
        key,
    )
    assert {one.title for one in sent.incidents} == {"a", "b", "c"}
    assert {state for state, _ in await bench.states()} == {"sent"}
    assert await bench.turn(600) == []


async def test_what_was_resolved_or_acknowledged_meanwhile_is_stopped_with_its_reason(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.occur("b", severity="high")
    await bench.occur("c", severity="high")
    await bench.change(Verb.RESOLVE, 1)
    await bench.change(Verb.ACKNOWLEDGE, 2)
    assert len(await bench.turn(300)) == 1
    (sent,) = bench.sender.received
    assert [one.title for one in sent.incidents] == ["c"]
    assert await bench.states() == [("stopped", "resolved"), ("stopped", "acknowledged"), ("sent", None)]


async def test_above_ten_a_minute_one_summary_a_minute_names_them_all(bench: Bench) -> None:
    for number in range(12):
        await bench.occur(f"first {number}")
    keys = await bench.turn()
    assert len(keys) == 11
    (summary,) = (one for one in bench.sender.received if one.kind is NotificationKind.SUMMARY)
    assert summary.reason is NotificationReason.STORM
    assert len(summary.incidents) == 2
    for number in range(30):
        bench.clock.advance(1)
        await bench.occur(f"later {number}")
        assert await bench.turn() == []
    assert (await bench.states())[-1] == ("waiting", "throttled")
    assert len(await bench.turn(29)) == 0
    assert len(await bench.turn(1)) == 1
    assert {one.title for one in bench.sender.received[-1].incidents} == {f"later {n}" for n in range(30)}
    await bench.occur("calm again")
    assert len(await bench.turn(61)) == 1
    assert bench.sender.received[-1].kind is NotificationKind.INCIDENT


async def test_a_regression_is_told_past_every_throttle(bench: Bench) -> None:
    await bench.occur("steady")
    await bench.turn(0)
    bench.clock.advance(120)
    for number in range(12):
        await bench.occur(f"storm {number}")
    await bench.turn()
    await bench.change(Verb.RESOLVE, 1)
    bench.clock.advance(1)
    await bench.occur("steady")
    assert await bench.turn() == ["critical:INC-1:2:regressed:log"]
    assert bench.sender.received[-1].kind is NotificationKind.INCIDENT


async def test_a_failed_attempt_is_made_again_later_and_each_is_kept(bench: Bench) -> None:
    bench.sender.answers = [
        Transient(SendReason.UNREACHABLE, "nobody listens"),
        Transient(SendReason.BUSY, "429", after_seconds=100),
        RuntimeError("a mistake"),
    ]
    await bench.occur("a")
    key = "critical:INC-1:1:new:log"
    assert await bench.turn() == [key]
    assert await bench.turn(0.4) == []
    assert await bench.turn(0.6) == [key]
    assert await bench.turn(99) == [], "the receiver asked for 100 s"
    assert await bench.turn(1) == [key]
    assert await bench.turn(4) == [key]
    assert (await bench.states())[0] == ("sent", None)
    attempts = await bench.store.read(select(outbox_attempts).order_by(outbox_attempts.c.number))
    assert [(one.outcome, one.reason) for one in attempts] == [
        ("transient", "unreachable"),
        ("transient", "busy"),
        ("transient", "not_sendable"),
        ("sent", None),
    ]


async def test_what_is_refused_or_not_taken_for_a_day_is_given_up_visibly(bench: Bench) -> None:
    bench.sender.answers = [Permanent(SendReason.GONE, "410")]
    await bench.occur("a")
    await bench.turn()
    bench.sender.answers = [Transient(SendReason.TIMEOUT)] * 200
    await bench.occur("b")
    attempts = 0
    while (await bench.states())[1][0] == "waiting":
        attempts += len(await bench.turn(900))
    assert await bench.states() == [("given_up", "refused"), ("given_up", "expired")]
    assert 90 < attempts < 110
    assert bench.metrics.registry.get_sample_value(
        "faultwire_notifications_given_up_total", {"reason": "expired"}
    ) == pytest.approx(1)


async def test_a_notification_that_the_worker_cannot_read_is_given_up_alone(bench: Bench) -> None:
    await bench.occur("a")
    await bench.occur("b")
    async with bench.store.write() as tx:
        await tx.execute(update(incidents).where(incidents.c.id == 1).values(severity=9))
    assert await bench.turn() == ["critical:INC-2:1:new:log"]
    assert (await bench.states())[:2] == [("given_up", "unreadable"), ("sent", None)]
    (attempt, _) = await bench.store.read(select(outbox_attempts).order_by(outbox_attempts.c.outbox_id))
    assert (attempt.outcome, attempt.reason) == ("permanent", "not_sendable")
    assert bench.metrics.registry.get_sample_value(
        "faultwire_notifications_given_up_total", {"reason": "unreadable"}
    ) == pytest.approx(1)


async def test_what_a_later_release_wrote_is_in_nobody_s_way_and_waits_for_who_can_read_it(
    bench: Bench,
) -> None:
    await bench.occur("a")
    async with bench.store.write() as tx:
        await tx.execute(update(outbox).values(kind="of a later release"))
    await bench.occur("b")
    assert await bench.turn() == ["critical:INC-2:1:new:log"]
    assert (await bench.states())[0] == ("waiting", "unreadable")
    assert await bench.turn(11) == []
    stages = await bench.store.read(select(outbox_stages).where(outbox_stages.c.outbox_id == 1))
    assert [(one.decision, one.reason) for one in stages] == [("held", "unreadable")]
    async with bench.store.write() as tx:
        await tx.execute(update(outbox).where(outbox.c.id == 1).values(kind=NotificationKind.INCIDENT.value))
    assert await bench.turn(11) == ["critical:INC-1:1:new:log"]


async def test_what_nobody_could_read_for_an_hour_is_given_up_visibly(bench: Bench) -> None:
    await bench.occur("a")
    async with bench.store.write() as tx:
        await tx.execute(update(outbox).values(reason="of a later release"))
    await bench.turn()
    with capture_logs() as logs:
        assert await bench.turn(3600) == []
    assert (await bench.states())[0] == ("given_up", "unreadable")
    assert "notification.unreadable" in {line["event"] for line in logs}
    assert bench.metrics.registry.get_sample_value(
        "faultwire_notifications_given_up_total", {"reason": "unreadable"}
    ) == pytest.approx(1)


async def test_a_dispatcher_that_fails_goes_on_with_what_comes_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.occur("a")
    failures = iter([RuntimeError("a bug")])

    def fails_once(*arguments: Any, **named: Any) -> Decided:
        for error in failures:
            raise error
        return decide(*arguments, **named)

    monkeypatch.setattr(claim, "decide", fails_once)
    running = asyncio.create_task(bench.dispatcher.run())
    with capture_logs() as logs:

        async def is_told() -> bool:
            return bench.sender.keys == ["critical:INC-1:1:new:log"]

        await until(is_told, "the notification is sent")
    assert "dispatcher.failed" in {line["event"] for line in logs}
    running.cancel()


async def test_a_summary_that_failed_is_sent_again_with_the_same_key_and_the_same_incidents(
    bench: Bench,
) -> None:
    bench.sender.answers = [Transient(SendReason.TIMEOUT)]
    await bench.occur("a", "b", severity="high")
    (first,) = await bench.turn(240)
    await bench.occur("c", severity="high")
    assert await bench.turn(1) == [first]
    one, two = bench.sender.received
    assert {line.title for line in one.incidents} == {line.title for line in two.incidents} == {"a", "b"}


async def test_dispatchers_side_by_side_send_each_notification_once(bench: Bench) -> None:
    for number in range(20):
        await bench.occur(f"kind {number}", severity="high")
        await bench.occur(f"loud {number}")
    bench.clock.advance(240)
    await asyncio.gather(*(bench.another().run_once() for _ in range(4)))
    assert len(bench.sender.keys) == len(set(bench.sender.keys)) == 12
    told = [line.title for one in bench.sender.received for line in one.incidents]
    assert len(told) == len(set(told)) == 40


async def test_a_lease_that_ran_out_is_another_s_and_the_late_mark_changes_nothing(bench: Bench) -> None:
    await bench.occur("a")
    bench.sender.gate = asyncio.Event()
    slow = asyncio.create_task(bench.dispatcher.run_once())

    async def is_sending() -> bool:
        return len(bench.sender.received) == 1

    await until(is_sending, "the first attempt runs")
    bench.clock.advance(61)
    bench.sender.answers = [Transient(SendReason.TIMEOUT, "of the second")]
    second = asyncio.create_task(bench.another().run_once())

    async def are_sending() -> bool:
        return len(bench.sender.received) == 2

    await until(are_sending, "the second attempt runs")
    assert await bench.another().run_once() == 0, "the second lease holds"
    bench.sender.answers = []
    bench.sender.gate.set()
    await asyncio.gather(slow, second)
    assert bench.sender.keys == ["critical:INC-1:1:new:log"] * 2
    attempts = await bench.store.read(select(outbox_attempts).order_by(outbox_attempts.c.number))
    assert [one.number for one in attempts] == [1, 2]
    assert (await bench.rows())[0].attempts == 2


async def test_what_waits_for_a_receiver_that_is_gone_is_given_up_after_an_hour(bench: Bench) -> None:
    await bench.occur("a")
    others = Dispatcher(
        bench.store, {"chat": RecordingSender("chat")}, metrics=bench.metrics, clock=bench.clock
    )
    bench.clock.advance(timedelta(minutes=59))
    assert (await others.run_once(), await others.give_up_orphans()) == (0, 0)
    bench.clock.advance(timedelta(minutes=1))
    assert await others.give_up_orphans() == 1
    assert await bench.states() == [("given_up", "receiver_unknown")]


async def test_the_commit_of_a_critical_event_wakes_the_dispatcher_and_a_slow_receiver_is_in_nobody_s_way(
    bench: Bench,
) -> None:
    running = asyncio.create_task(bench.dispatcher.run())
    await bench.occur("calm", severity="high")
    bench.sender.gate = asyncio.Event()
    bench.clock.advance(240)

    async def gathered_is_sending() -> bool:
        return len(bench.sender.received) == 1

    await until(gathered_is_sending, "the gathered notification is being sent")
    await bench.occur("a")

    async def critical_is_sending() -> bool:
        return "critical:INC-2:1:new:log" in bench.sender.keys

    await until(critical_is_sending, "the critical one is sent beside it")
    bench.sender.gate.set()
    await bench.dispatcher.drain(30)
    running.cancel()
    assert [state for state, _ in await bench.states()][:2] == ["sent", "sent"]


async def test_a_muted_incident_is_told_of_to_nobody_and_the_stage_says_why(bench: Bench) -> None:
    await bench.occur("a")
    await act_with(bench.store, 1, MuteArguments(for_seconds=3600), now=bench.clock())
    assert await bench.turn() == []
    assert (await bench.states())[0] == ("stopped", "muted")
    await bench.occur("a", count=200)
    assert await bench.turn() == []
    stages = await bench.store.read(select(outbox_stages.c.stage).where(outbox_stages.c.reason == "muted"))
    assert {row.stage for row in stages} == {"unmuted"}


async def test_reminders_of_a_muted_incident_wait_until_the_mute_is_over(bench: Bench) -> None:
    await bench.occur("a")
    assert await bench.turn() == ["critical:INC-1:1:new:log"]
    await act_with(bench.store, 1, MuteArguments(for_seconds=7 * 86400), now=bench.clock())
    assert await bench.turn(86400) == []
    assert ("waiting", "muted") in await bench.states()
    (reminder,) = await bench.turn(7 * 86400)
    assert "reminder" in reminder


async def test_a_mute_that_ends_by_itself_is_told_to_who_hears_of_regressions(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    await act_with(bench.store, 1, MuteArguments(count=3), now=bench.clock.advance(1))
    await bench.occur("a", count=2)
    assert await bench.turn(1) == []
    await bench.occur("a")
    (told,) = await bench.turn(1)
    assert told.startswith("critical:INC-1:1:unmuted-")


async def test_a_rise_of_severity_is_told_though_its_incident_was_muted(bench: Bench) -> None:
    await bench.occur("a", severity="medium")
    await act_with(bench.store, 1, MuteArguments(for_ever=True, reason="known"), now=bench.clock())
    await bench.occur("a", severity="critical")
    assert await bench.turn() == ["critical:INC-1:1:severity_rose-critical:log"]


async def test_a_regression_names_the_issue_that_its_incident_is_linked_to(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    issue = "https://git.example/shop/issues/7"
    await act_with(bench.store, 1, LinkArguments(url=issue), now=bench.clock())
    await bench.change(Verb.RESOLVE)
    bench.clock.advance(60)
    await bench.occur("a")
    await bench.turn()
    first, *_, again = bench.sender.received
    assert [first.incidents[0].issue, again.incidents[0].issue] == [None, issue]


async def test_what_waits_of_a_merged_incident_is_stopped(bench: Bench) -> None:
    await bench.occur("a")
    await bench.occur("b")
    await act_with(bench.store, 2, MergeArguments(into="INC-1"), now=bench.clock())
    assert await bench.turn() == ["critical:INC-1:1:new:log"]
    assert ("stopped", "merged") in await bench.states()


async def test_an_acknowledgement_that_is_over_holds_no_reminder_back(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    await act_with(bench.store, 1, AcknowledgeArguments(for_seconds=60), now=bench.clock())
    assert await bench.turn(30) == []
    (reminder,) = await bench.turn(86400)
    assert "reminder" in reminder
