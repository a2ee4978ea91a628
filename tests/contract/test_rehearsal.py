"""A rehearsal of the policy in use makes what the worker made, on both databases."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_event
from tests.tools.recording import RecordingSender

from faultwire_consumer.actions.silences import SilenceActor, create_silence, end_silence
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    AssignArguments,
    MergeArguments,
    MuteArguments,
    ReopenArguments,
    ResolveArguments,
    UnmergeArguments,
    UnmuteArguments,
)
from faultwire_consumer.domain.outcome import Stored
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.domain.rehearsal.report import RehearsalReport, UnseenReason
from faultwire_consumer.domain.silence.draft import SilenceDraft
from faultwire_consumer.domain.silence.matcher import Matchers
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.rehearsal.run import Script, rehearse
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import events, incidents
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_shared.codec import BATCH_TYPE
from faultwire_shared.event_id import new_event_id
from faultwire_shared.taxonomy import ConflictError

LOG = '[receivers.log]\ntype = "log"\n'
SHIPPED = parse_policy(LOG, shipped=shipped_text())
_STEP = timedelta(microseconds=1)

pytestmark = [
    pytest.mark.may_block("a zone's file is read once, and a scratch store is a file"),
    pytest.mark.patient("what is not stored at once would be another history"),
]


class Live:
    """A worker's engine over a store, by a clock that goes from one due time to the next."""

    def __init__(self, store: Store, clock: FixedClock, policy: Policy = SHIPPED, **settings: Any) -> None:
        self.store, self.clock, self.policy = store, clock, policy
        self.started_at = clock()
        metrics = Metrics()
        senders = {one.name: RecordingSender(one.name) for one in policy.receivers}
        self._pipeline = Pipeline(
            store, metrics=metrics, evaluator=Evaluator(policy), clock=clock, **settings
        )
        self._maker = DigestMaker(store, policy, clock=clock)
        self._dispatcher = Dispatcher(store, senders, metrics=metrics, clock=clock, digests=policy.digests)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        fields = {"severity": "critical", "fingerprint": [kind], "message": kind} | fields
        return wire_event(now=fields.pop("at", self.clock()), **fields)

    async def occur(self, *events: dict[str, Any]) -> None:
        """One batch."""
        delivery = read_delivery(json.dumps(events).encode(), BATCH_TYPE, origin="test", handle=None)
        (outcomes,) = await self._pipeline.ingest([delivery])
        assert all(isinstance(one, Stored) for one in outcomes)
        await self._send()
        self.clock.advance(_STEP)

    async def pass_time(self, by: timedelta | float) -> None:
        """Let time pass, with everything that comes due in it sent at its time."""
        end = self.clock() + (by if isinstance(by, timedelta) else timedelta(seconds=by))
        while (due := await self._next_due()) is not None and due <= end:
            self.clock.now = due
            await self._send()
        self.clock.now = end

    async def rehearse(self, policy: Policy | None = None, **more: Any) -> RehearsalReport:
        """Rehearse all of it."""
        script = Script(
            policy=policy or self.policy, since=self.started_at, until=self.clock() + _STEP, **more
        )
        return await rehearse(self.store, script)

    async def told(self) -> list[tuple[str, ...]]:
        """What was made, and what became of it."""
        rows = await self.store.read(
            select(outbox).where(outbox.c.created_at >= self.started_at).order_by(outbox.c.idempotency_key)
        )
        return [
            (
                row.idempotency_key,
                row.rule,
                row.receiver,
                row.reason,
                "gone out" if row.state in ("sent", "carried") else row.state,
                str(row.state_reason),
            )
            for row in rows
        ]

    async def _next_due(self) -> datetime | None:
        due, digest = outbox.c.due_at, pending.c.due_at
        found = [
            (await self.store.read(select(func.min(column, type_=column.type).label("at")).where(which)))[
                0
            ].at
            for column, which in (
                (due, (outbox.c.state == "waiting") & (due > self.clock())),
                (digest, digest > self.clock()),
            )
        ]
        return min((one for one in found if one is not None), default=None)

    async def _send(self) -> None:
        await self._maker.run_once()
        await self._dispatcher.run_once()


async def assert_equal(live: Live) -> RehearsalReport:
    report = await live.rehearse()
    told = await live.told()
    assert report.tally.sent == sum(one[4] == "gone out" for one in told)
    assert sorted((one.key, one.rule, one.receiver, one.reason) for one in report.notifications) == [
        one[:4] for one in told if one[4] == "gone out"
    ]
    stopped: dict[str, int] = {}
    for one in told:
        if one[4] not in ("gone out", "waiting"):
            stopped[one[5]] = stopped.get(one[5], 0) + 1
    assert {one.name: one.count for one in report.tally.stopped} == stopped
    assert report.tally.waiting == sum(one[4] == "waiting" for one in told)
    return report


async def test_the_shipped_policy_tells_the_same_of_events_reminders_digests_and_acts(
    store: Store, clock: FixedClock
) -> None:
    live = Live(store, clock)
    await live.occur(live.event("a"))  # by itself: numbers within a batch are the database's choice
    await live.occur(live.event("b", severity="high"), live.event("c", severity="medium"))
    await live.pass_time(5400)
    await change_status(store, 1, Verb.ACKNOWLEDGE, actor="ana", now=clock())
    await live.pass_time(3600)
    await live.occur(*(live.event("a") for _ in range(12)))
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    await live.pass_time(60)
    await live.occur(live.event("a"))
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    await live.pass_time(timedelta(days=1))
    report = await assert_equal(live)
    assert report.tally.sent == 6
    assert [one.what for one in report.unseen] == ["not_yet"]


EVERYTHING = parse_policy("""
digest_hour = 9
growth = [3, 10, 30]
[receivers.log]
type = "log"
[receivers.other]
type = "log"
[rules.critical]
severity = "critical"
on = ["new", "regressed", "severity_rose", "growth"]
send = "now"
remind_every = "6h"
receivers = ["log"]
[rules.high]
severity = "high"
on = ["new", "regressed", "severity_rose", "growth"]
send = "within 5m"
[rules.staging]
environment = "staging"
on = ["new", "regressed"]
send = "now"
receivers = ["other"]
[rules.tagged]
tags.region = "eu-*"
on = ["new", "growth"]
send = "now"
receivers = ["other"]
[rules.busy]
events = 8
window = "10m"
per = "service"
send = "now"
[rules.often]
events = 4
window = "5m"
send = "within 1m"
receivers = ["other"]
[rules.many]
new_incidents = 3
window = "1h"
send = "now"
receivers = ["log"]
[rules.day]
on = ["new", "continued", "regressed"]
send = "daily"
""")

_EVENTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    kind=st.sampled_from("abcd"),
    severity=st.sampled_from(["critical", "high", "medium", "low"]),
    count=st.sampled_from([1, 1, 1, 2, 9]),
    environment=st.sampled_from(["production", "production", "staging"]),
    region=st.sampled_from(["", "eu-1", "us-1"]),
    late=st.sampled_from([0, 0, 0, 200, 4000]),
)
_ACTS = st.sampled_from(
    [
        AcknowledgeArguments(),
        AcknowledgeArguments(for_seconds=3600),
        ResolveArguments(),
        ResolveArguments(environment="production"),
        ReopenArguments(),
        MuteArguments(for_seconds=600),
        MuteArguments(count=3),
        MuteArguments(count=3, within_seconds=300),
        MuteArguments(for_ever=True, reason="known"),
        UnmuteArguments(),
        AssignArguments(to="ben"),
        MergeArguments(into="another"),
        UnmergeArguments(),
    ]
)
_STEPS = st.one_of(
    st.lists(_EVENTS, min_size=1, max_size=4),
    st.sampled_from([1, 40, 400, 4000, 30_000]),
    st.tuples(_ACTS, st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from(["silence", "silence staging", "end silence"]),
)


class History:
    """Steps that are drawn, each done to a worker's store."""

    def __init__(self, live: Live, name: str) -> None:
        self.live, self.name = live, name
        self._silence: int | None = None

    async def do(self, step: Any) -> None:
        match step:
            case list():
                # On PostgreSQL the order within a batch is not kept: here ids and times have the same one.
                ids = sorted(new_event_id(self.live.clock()) for _ in step)
                batch = [self._event(number, id=ids[number], **each) for number, each in enumerate(step)]
                await self.live.occur(*batch)
            case int():
                await self.live.pass_time(step)
            case tuple():
                await self._act(*step)
            case "end silence":
                await self.end_silence()
            case str():
                await self.end_silence()
                await self._make_silence(step.removeprefix("silence").strip())
        self.live.clock.advance(_STEP)

    async def end(self) -> None:
        """Leave nothing that goes on into the next history."""
        await self.end_silence()
        for incident in await self._incidents():
            await self._do(incident, ResolveArguments())
        await self.live.pass_time(timedelta(days=2))

    def _event(self, number: int, *, kind: str, region: str, late: int, **fields: Any) -> dict[str, Any]:
        tags = {"region": region} if region else {}
        at = self.live.clock() - timedelta(seconds=late) + timedelta(milliseconds=number)
        return self.live.event(f"{self.name}-{kind}", at=at, tags=tags, service=self.name, **fields)

    async def _act(self, arguments: Any, first: int, second: int) -> None:
        known = await self._incidents()
        if not known:
            return
        if isinstance(arguments, MergeArguments):
            arguments = MergeArguments(into=f"INC-{known[second % len(known)]}")
        await self._do(known[first % len(known)], arguments)

    async def _do(self, incident: int, arguments: Any) -> None:
        with suppress(ConflictError):  # a verb that does not fit is refused, and leaves no trace
            await act_with(self.live.store, incident, arguments, now=self.live.clock())

    async def _incidents(self) -> list[int]:
        wanted = select(incidents.c.id).where(incidents.c.service == self.name)
        return [row.id for row in await self.live.store.read(wanted.order_by(incidents.c.id))]

    async def _make_silence(self, environment: str) -> None:
        where = Matchers(environment=(environment,)) if environment else Matchers(service=(self.name,))
        draft = SilenceDraft(where=where, comment="a deploy", for_seconds=7200, also_critical=True)
        made = await create_silence(self.live.store, draft, self._by())
        self._silence = made.id

    async def end_silence(self) -> None:
        if self._silence is not None:
            await end_silence(self.live.store, self._silence, self._by())
            await self.live.pass_time(0)
            self._silence = None

    def _by(self) -> SilenceActor:
        source = AuditSource(actor="ana", via=Via.COMMAND)
        return SilenceActor(name="ana", source=source, at=self.live.clock())


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(_STEPS, min_size=4, max_size=14))
async def test_any_history_is_told_by_a_rehearsal_as_it_was_told_by_the_worker(
    store: Store, clock: FixedClock, steps: list[Any]
) -> None:
    """Random events, times, acts and silences: the same notifications, notification for notification."""
    live = Live(store, clock, EVERYTHING)
    history = History(live, f"svc{int(clock.monotonic())}")
    for step in steps:
        await history.do(step)
    await history.end_silence()
    await live.pass_time(60)
    await assert_equal(live)
    await history.end()


async def test_a_rehearsal_that_begins_later_knows_what_incidents_were_by_then(
    store: Store, clock: FixedClock
) -> None:
    rules = '[rules.critical]\non = ["new", "regressed", "growth"]\nsend = "now"\n'
    live = Live(store, clock, parse_policy(LOG + rules))
    for kind in ("grown", "solved", "muted", "guest", "host"):
        await live.occur(*(live.event(kind) for _ in range(7)))
    names = ("grown", "solved", "muted", "guest", "host")
    await change_status(store, 2, Verb.RESOLVE, actor="ana", now=clock())
    await act_with(store, 3, MuteArguments(for_ever=True, reason="known"), now=clock())
    await act_with(store, 4, MergeArguments(into="INC-5"), now=clock())
    for incident in (1, 5):
        await change_status(store, incident, Verb.ACKNOWLEDGE, actor="ana", now=clock())
    await live.pass_time(timedelta(days=3))
    live.started_at = clock()
    await change_status(store, 1, Verb.REOPEN, actor="ana", now=clock())
    await act_with(store, 4, UnmergeArguments(), now=clock())
    await live.pass_time(60)
    for kind in names:
        await live.occur(*(live.event(kind) for _ in range(4)))
    await act_with(store, 3, UnmuteArguments(), now=clock())
    await live.occur(*(live.event("muted") for _ in range(90)))
    report = await live.rehearse()
    keys = {one.key for one in report.notifications}
    told = {one[0] for one in await live.told() if one[4] == "gone out"}
    assert keys == told
    assert "critical:INC-2:2:regressed:log" in keys
    assert "critical:INC-1:1:growth-10:log" in keys
    assert [one.what for one in report.unseen] == ["standing"]


async def test_events_without_bodies_are_played_by_what_is_left_and_named(
    store: Store, clock: FixedClock
) -> None:
    rules = """
        [rules.type]
        type = "Timeout*"
        code = "GATEWAY*"
        on = ["new", "growth"]
        send = "now"
        [rules.tagged]
        tags.region = "eu-*"
        events = 20
        window = "5m"
        send = "now"
    """
    live = Live(store, clock, parse_policy(LOG + rules), bodies_per_incident=10)
    for _ in range(30):
        event = live.event("a", code="GATEWAY_DOWN", exceptions=[raised("TimeoutError")])
        await live.occur(event | {"tags": {"region": "eu-1"}})
    await live.pass_time(60)
    report = await live.rehearse()
    assert [one.key for one in report.notifications] == [
        "type:INC-1:1:new:log",
        "type:INC-1:1:growth-10:log",
    ]
    unseen = {one.what: one for one in report.unseen}
    assert unseen[UnseenReason.BODIES].count == unseen[UnseenReason.TAGS].count >= 18
    assert "rule tagged" in unseen[UnseenReason.TAGS].detail
    assert len(await live.told()) == 3, "the worker saw the tags, and the rehearsal says that it could not"


async def test_more_events_than_are_played_are_cut_at_the_old_end_with_figures(
    store: Store, clock: FixedClock
) -> None:
    live = Live(store, clock)
    for kind in "abcdef":
        await live.occur(live.event(kind))
    report = await live.rehearse(events_max=4)
    assert (report.events, report.tally.sent) == (4, 4)
    assert (report.unseen[0].what, report.unseen[0].count) == (UnseenReason.CUT, 2)


async def test_a_rehearsal_ends_at_its_time_and_says_how_far_it_came(store: Store, clock: FixedClock) -> None:
    live = Live(store, clock)
    for kind in "abc":
        await live.occur(live.event(kind))
    script = Script(policy=SHIPPED, since=live.started_at, until=clock() + _STEP, seconds_max=0.5)
    seconds = iter([0.0, 0.0, 0.0, *(9.0 for _ in range(1000))])
    report = await rehearse(store, script, monotonic=lambda: next(seconds))
    assert report.events < 3
    assert UnseenReason.OUT_OF_TIME in [one.what for one in report.unseen]


async def test_what_is_told_by_both_policies_is_neither_new_nor_missing(
    store: Store, clock: FixedClock
) -> None:
    live = Live(store, clock)
    await live.occur(live.event("a"), live.event("b", severity="high"))
    await live.pass_time(600)
    renamed = parse_policy(LOG + '[rules.worst]\nseverity = "critical"\non = ["new"]\nsend = "now"\n')
    report = await live.rehearse(renamed, against=("current", SHIPPED))
    assert report.difference is not None
    assert (report.tally.sent, report.difference.sent) == (1, 2)
    assert report.difference.new.count == 0
    assert [one.rule for one in report.difference.missing.notifications] == ["high"]


async def test_events_that_were_counted_and_dropped_since_are_named_with_their_number(
    store: Store, clock: FixedClock
) -> None:
    live = Live(store, clock)
    await live.occur(live.event("a", count=5))
    await live.pass_time(7200)
    await live.occur(live.event("b"))
    counted = {"hour": live.started_at.replace(minute=0), "service": "billing", "severity": 4, "count": 5}
    async with store.write() as tx:
        await tx.execute(insert(hourly_totals).values(**counted))
        await tx.execute(delete(events).where(events.c.count == 5))
    report = await live.rehearse()
    assert {one.what: one.count for one in report.unseen}[UnseenReason.DROPPED] == 5
    assert [one.incident for one in report.notifications if one.reason == "new"] == ["INC-2"]
