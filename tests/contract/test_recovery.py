"""Recovery notices, escalations and inhibitions, from an operator's action to the sender, on both stores."""

import asyncio
import json
import random
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.recording import RecordingSender
from tests.tools.waiting import until

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import AcknowledgeArguments, MuteArguments
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.auto_resolve import AutoResolver
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.sender import Permanent, SendReason, Transient
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox, outbox_stages
from faultwire_shared.codec import BATCH_TYPE

RECEIVERS = """
[receivers.log]
type = "log"
[receivers.pager]
type = "log"
recovery = true
[receivers.boss]
type = "log"
recovery = true
"""
POLICY = parse_policy(
    RECEIVERS
    + """
[rules.all]
on = ["new", "regressed", "severity_rose"]
send = "now"
receivers = ["log", "pager"]
escalate_after = "30m"
escalate_to = "boss"
auto_resolve_days = 3
"""
)
GATHERING = parse_policy(
    RECEIVERS
    + """
[rules.all]
on = "new"
send = "within 5m"
escalate_after = "30m"
escalate_to = "boss"
[rules.boss]
service = "other"
on = "new"
send = "within 5m"
receivers = "boss"
"""
)
INHIBITING = parse_policy(
    RECEIVERS
    + """
[rules.all]
on = "new"
send = "now"
receivers = "log"
[rules.billing]
service = "billing"
on = "new"
send = "now"
receivers = "pager"
[rules.billing.unless]
service = "database"
category = "system"
[rules.rest]
on = "continued"
send = "daily"
receivers = "pager"
"""
)
HALF_AN_HOUR = 30 * 60

pytestmark = pytest.mark.may_block("a zone's file is read once")


class Desk:
    """A pipeline, and a dispatcher with a recording sender for each receiver, on one clock."""

    def __init__(self, store: Store, clock: FixedClock, policy: Policy = POLICY) -> None:
        self.store, self.clock, self.policy = store, clock, policy
        self.senders = {one.name: RecordingSender(one.name) for one in policy.receivers}
        self._pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy), clock=clock)

    async def occur(self, kind: str = "a", **fields: str) -> None:
        events = [wire_event(now=self.clock(), **{"fingerprint": [kind], "message": kind, **fields})]
        body = json.dumps(events).encode()
        await self._pipeline.ingest([read_delivery(body, BATCH_TYPE, origin="test", handle=None)])

    async def turn(self, seconds: float = 0) -> list[str]:
        """Move the clock on, send what is due as a worker that was just started; what went to whom."""
        self.clock.advance(seconds)
        before = {name: len(sender.received) for name, sender in self.senders.items()}
        dispatcher = Dispatcher(
            self.store,
            self.senders,
            metrics=Metrics(),
            clock=self.clock,
            digests=self.policy.digests,
            inhibitions=self.policy.inhibitions,
            rng=random.Random(1),
        )
        await dispatcher.run_once()
        return [
            f"{name} {one.reason}"
            for name, sender in self.senders.items()
            for one in sender.received[before[name] :]
        ]

    async def change(self, verb: Verb) -> None:
        await change_status(self.store, 1, verb, actor="ana", now=self.clock())

    async def ends(self, receiver: str) -> list[tuple[str, str, str | None]]:
        rows = await self.store.read(
            select(outbox).where(outbox.c.receiver == receiver).order_by(outbox.c.id)
        )
        return [(row.reason, row.state, row.state_reason) for row in rows]


@pytest.fixture
def desk(store: Store, clock: FixedClock) -> Desk:
    return Desk(store, clock)


async def test_who_was_told_and_wants_it_hears_once_that_it_is_acknowledged_and_over(desk: Desk) -> None:
    await desk.occur()
    assert await desk.turn() == ["log new", "pager new"]
    await desk.change(Verb.ACKNOWLEDGE)
    assert await desk.turn() == ["pager acknowledged"]
    await desk.change(Verb.RESOLVE)
    assert await desk.turn(1) == ["pager resolved"]
    notice = desk.senders["pager"].received[-1]
    assert (notice.detail, notice.idempotency_key) == ("by ana", "INC-1:1:resolved-1:pager")
    await desk.change(Verb.REOPEN)
    await desk.change(Verb.RESOLVE)
    assert await desk.turn(5) == []


async def test_what_was_resolved_before_it_was_told_is_told_to_nobody(desk: Desk) -> None:
    await desk.occur()
    await desk.change(Verb.RESOLVE)
    assert await desk.turn() == []
    assert await desk.turn(5) == []
    assert await desk.ends("pager") == [("new", "stopped", "resolved"), ("resolved", "stopped", "untold")]


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Transient(SendReason.TIMEOUT), ["pager resolved"]),
        (Transient(SendReason.UNREACHABLE), []),
        (Permanent(SendReason.REFUSED), []),
    ],
    ids=["it may have arrived", "it cannot have arrived", "it was refused"],
)
async def test_the_end_is_told_where_the_beginning_may_have_arrived(
    desk: Desk, failure: Transient | Permanent, told: list[str]
) -> None:
    desk.senders["pager"].answers = [failure]
    await desk.occur()
    await desk.turn()
    await desk.change(Verb.RESOLVE)
    # The failed one is judged when it would be sent again, and the notice waits for that.
    assert [*await desk.turn(), *await desk.turn(2), *await desk.turn(5)] == told


async def test_the_end_waits_for_a_beginning_that_is_being_told(desk: Desk) -> None:
    pager = desk.senders["pager"]

    async def pager_has_it() -> bool:
        return bool(pager.received)

    pager.gate = asyncio.Event()
    await desk.occur()
    telling = asyncio.create_task(desk.turn())
    await until(pager_has_it, "the pager's attempt runs")
    await desk.change(Verb.RESOLVE)
    assert await desk.turn() == []
    assert (await desk.ends("pager"))[-1] == ("resolved", "waiting", "untold")
    pager.gate.set()
    assert await telling == ["log new", "pager new"]
    assert await desk.turn(5) == ["pager resolved"]


async def test_a_recovery_that_is_no_more_is_told_to_nobody(desk: Desk) -> None:
    await desk.occur()
    await desk.turn()
    await desk.change(Verb.RESOLVE)
    desk.clock.advance(60)
    await desk.occur()
    assert await desk.turn() == ["log regressed", "pager regressed"]
    assert ("resolved", "stopped", "overtaken") in await desk.ends("pager")
    await desk.change(Verb.ACKNOWLEDGE)
    await desk.change(Verb.REOPEN)
    assert await desk.turn() == []
    assert (await desk.ends("pager"))[-1] == ("acknowledged", "stopped", "reopened")


async def test_neither_mute_nor_acknowledgement_keeps_the_end_from_who_was_told(desk: Desk) -> None:
    await desk.occur()
    await desk.turn()
    await act_with(desk.store, 1, MuteArguments(for_seconds=3600), now=desk.clock())
    await desk.change(Verb.ACKNOWLEDGE)
    assert await desk.turn() == ["pager acknowledged"]
    await desk.change(Verb.RESOLVE)
    assert await desk.turn() == ["pager resolved"]


async def test_an_incident_that_a_rule_s_quiet_days_resolve_is_told_like_any_other(desk: Desk) -> None:
    await desk.occur()
    await desk.turn()
    desk.clock.advance(timedelta(days=3))
    await AutoResolver(desk.store, lambda: POLICY, clock=desk.clock).resolve()
    assert "pager resolved" in await desk.turn()
    assert desk.senders["pager"].received[-1].detail.startswith("by worker: nothing for 3 days")


async def test_what_nobody_acknowledges_in_time_comes_to_the_second_circle_once_an_episode(
    desk: Desk,
) -> None:
    await desk.occur()
    await desk.turn()
    assert await desk.turn(HALF_AN_HOUR - 1) == []
    assert await desk.turn(1) == ["boss escalated"]
    assert desk.senders["boss"].received[-1].detail == "nobody acknowledged it within 30m"
    assert await desk.turn(HALF_AN_HOUR) == []
    await desk.change(Verb.RESOLVE)
    assert await desk.turn() == ["pager resolved", "boss resolved"]
    desk.clock.advance(60)
    await desk.occur()
    assert await desk.turn() == ["log regressed", "pager regressed"]
    assert await desk.turn(HALF_AN_HOUR) == ["boss escalated"]


@pytest.mark.parametrize("verb", [Verb.ACKNOWLEDGE, Verb.RESOLVE])
async def test_what_somebody_took_in_time_comes_to_nobody_else_and_has_no_end_for_them(
    desk: Desk, verb: Verb
) -> None:
    await desk.occur()
    await desk.turn()
    await desk.change(verb)
    await desk.turn()
    assert await desk.turn(HALF_AN_HOUR) == []
    reason = {Verb.ACKNOWLEDGE: "acknowledged", Verb.RESOLVE: "resolved"}[verb]
    assert await desk.ends("boss") == [("escalated", "stopped", reason)]


async def test_an_acknowledgement_that_ends_before_the_time_does_not_keep_the_second_circle_away(
    desk: Desk,
) -> None:
    await desk.occur()
    await desk.turn()
    await act_with(desk.store, 1, AcknowledgeArguments(for_seconds=60), now=desk.clock())
    await desk.turn()
    assert await desk.turn(HALF_AN_HOUR) == ["boss escalated"]


async def test_a_receiver_that_cannot_be_reached_is_no_reason_not_to_escalate(desk: Desk) -> None:
    for name in ("log", "pager"):
        desk.senders[name].answers = [Transient(SendReason.UNREACHABLE)] * 100
    await desk.occur()
    await desk.turn()
    assert "boss escalated" in await desk.turn(HALF_AN_HOUR)


async def test_nothing_gathers_an_escalation_before_its_time(store: Store, clock: FixedClock) -> None:
    desk = Desk(store, clock, GATHERING)
    await desk.occur("a")
    await desk.occur("b")
    assert await desk.turn(210) == ["log new", "pager new"]
    assert await desk.turn(HALF_AN_HOUR - 1) == []
    assert await desk.turn(1) == ["boss escalated"] * 2


async def test_while_an_open_incident_explains_others_their_rule_is_quiet_and_the_digest_says_so(
    store: Store, clock: FixedClock
) -> None:
    desk = Desk(store, clock, INHIBITING)
    await desk.occur("down", service="database", category="system")
    assert await desk.turn() == ["log new"]
    await desk.occur("refused", service="billing")
    assert await desk.turn() == ["log new"]
    await desk.occur("worse", service="billing", severity="critical")
    assert await desk.turn() == ["log new", "pager new"]
    (stopped,) = await store.read(select(outbox_stages).where(outbox_stages.c.reason == "inhibited"))
    assert (stopped.stage, stopped.decision, stopped.detail) == ("uninhibited", "stopped", "INC-1")
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    await desk.occur("again", service="billing")
    assert await desk.turn() == ["log new", "pager new"]
    await DigestMaker(store, INHIBITING, clock=clock).run_once()
    clock.advance(timedelta(days=1))
    await DigestMaker(store, INHIBITING, clock=clock).run_once()
    assert "pager scheduled" in await desk.turn()
    told = {one.title: one.held_back for one in desk.senders["pager"].received[-1].incidents}
    assert told["refused"] == 1
    assert told["again"] == 0
