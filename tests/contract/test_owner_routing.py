"""Notifications for whoever an incident is assigned to: whom they reach, and whom where nobody has it."""

import json

import pytest
from sqlalchemy import select
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import AssignArguments
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.codec import BATCH_TYPE

RECEIVERS = """
[receivers.ops]
type = "log"
[receivers.ada]
type = "log"
owners = ["ada", "team-payments"]
[receivers.payments]
type = "log"
owners = "team-*"
"""
OWNER_FIRST = parse_policy(
    RECEIVERS
    + """
[rules.grown]
on = "growth"
send = "now"
receivers = "ops"
owner_first = true
[rules.all]
on = "growth"
send = "now"
receivers = "ops"
[rules.counted]
events = 50
window = "10m"
send = "now"
receivers = "ops"
owner_first = true
"""
)

pytestmark = pytest.mark.may_block("a zone's file is read once")


async def occur(store: Store, clock: FixedClock, policy: Policy, count: int) -> None:
    event = wire_event(now=clock(), severity="high", fingerprint=["a"], message="a", count=count)
    pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy), clock=clock)
    delivery = read_delivery(json.dumps([event]).encode(), BATCH_TYPE, origin="test", handle=None)
    await pipeline.ingest([delivery])


async def told(store: Store) -> list[tuple[str, str]]:
    rows = await store.read(
        select(outbox.c.rule, outbox.c.receiver).order_by(outbox.c.rule, outbox.c.receiver)
    )
    return [(row.rule, row.receiver) for row in rows]


@pytest.mark.parametrize(
    ("assignee", "reached"),
    [
        (None, ["ops"]),
        ("ada", ["ada"]),
        ("team-payments", ["ada", "payments"]),
        ("team-search", ["payments"]),
        ("somebody whom no receiver names", ["ops"]),
    ],
)
async def test_a_rule_that_asks_for_the_owner_tells_the_owner_s_receivers_and_else_its_own(
    store: Store, clock: FixedClock, assignee: str | None, reached: list[str]
) -> None:
    await occur(store, clock, OWNER_FIRST, 1)
    if assignee is not None:
        await act_with(store, 1, AssignArguments(to=assignee), now=clock.advance(1))
    await occur(store, clock, OWNER_FIRST, 60)
    grown = [("grown", name) for name in reached]
    assert await told(store) == [("all", "ops"), *(("counted", name) for name in reached), *grown]
    (row, *_) = await store.read(select(outbox.c.idempotency_key).where(outbox.c.rule == "grown"))
    assert row.idempotency_key == f"grown:INC-1:1:growth-10:{reached[0]}"


async def test_what_is_taken_back_goes_to_the_rule_s_own_receivers_again(
    store: Store, clock: FixedClock
) -> None:
    await occur(store, clock, OWNER_FIRST, 1)
    await act_with(store, 1, AssignArguments(to="ada"), now=clock.advance(1))
    await change_status(store, 1, Verb.UNASSIGN, actor="ada", now=clock.advance(1))
    await occur(store, clock, OWNER_FIRST, 10)
    assert ("grown", "ops") in await told(store)
    assert ("grown", "ada") not in await told(store)
