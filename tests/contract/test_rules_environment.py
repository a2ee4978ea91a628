"""A rule that asks for an environment hears of what is new there, wherever it was seen before."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from tests.tools.acting import change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_shared.codec import BATCH_TYPE

PRODUCTION = """
[receivers.log]
type = "log"
[rules.production]
environment = ["production"]
on = ["new", "regressed"]
send = "now"
[rules.all]
on = ["new", "regressed"]
send = "now"
"""
OTHER = PRODUCTION.partition("[rules.")[0] + '[rules.other]\non = ["growth"]\nsend = "now"\n'
DAILY = PRODUCTION.partition("[rules.all]")[0].replace('send = "now"', 'send = "daily"')

pytestmark = pytest.mark.may_block("a zone's file is read once")


class Worker:
    """One worker's pipeline, with rules of its own making."""

    def __init__(self, store: Store, clock: FixedClock, text: str = PRODUCTION) -> None:
        self.store, self._clock = store, clock
        self._pipeline = Pipeline(
            store, metrics=Metrics(), evaluator=Evaluator(parse_policy(text)), clock=clock
        )

    async def occur(self, *environments: str, **fields: Any) -> list[str]:
        """Ingest a batch, an event from each environment; the ids of the events."""
        events = [
            wire_event(now=self._clock.advance(1), severity="critical", environment=one, **fields)
            for one in environments
        ]
        body = json.dumps(events).encode()
        await self._pipeline.ingest([read_delivery(body, BATCH_TYPE, origin="test", handle=None)])
        return [event["id"] for event in events]

    async def told(self, rule: str = "production") -> list[tuple[str, str]]:
        """What the rule told, as the key's middle and the event."""
        rows = await self.store.read(select(outbox).where(outbox.c.rule == rule).order_by(outbox.c.id))
        return [(row.idempotency_key.split(":", 1)[1].removesuffix(":log"), row.event_id) for row in rows]

    async def resolve(self) -> None:
        await change_status(self.store, 1, Verb.RESOLVE, actor="ana", now=self._clock.advance(1))


async def test_what_is_new_elsewhere_first_is_told_at_its_first_event_there(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("staging")
    assert await worker.told() == []
    clock.advance(90_000)
    (first,) = await worker.occur("production")
    for _ in range(2):
        await worker.occur("production", "staging")
        await Worker(store, clock).occur("production")
    assert await worker.told() == [("INC-1:1:new", first)]
    assert len(await worker.told("all")) == 1


async def test_a_batch_from_several_environments_tells_of_each(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    ids = await worker.occur("production", "staging")
    assert await worker.told() == [("INC-1:1:new", ids[0])]
    again = await worker.occur("staging", "production", message="another")
    assert (await worker.told())[1:] == [("INC-2:1:new", again[1])]


async def test_what_came_back_elsewhere_first_is_told_when_it_is_back_there(
    store: Store, clock: FixedClock
) -> None:
    one, other = Worker(store, clock), Worker(store, clock)
    for worker in (one, other):
        await worker.occur("production", "staging")
    for episode in (2, 3):
        await one.resolve()
        await one.occur("staging")
        assert (await one.told("all"))[-1][0] == f"INC-1:{episode}:regressed"
        (back,) = await other.occur("production")
        await one.occur("production")
        assert (await one.told())[-1] == (f"INC-1:{episode}:regressed", back)
        clock.advance(90_000)
        await Worker(store, clock).occur("production")
    assert len(await one.told()) == 3


async def test_a_rule_that_comes_later_tells_nothing_of_what_was_there_before(
    store: Store, clock: FixedClock
) -> None:
    before = Worker(store, clock, OTHER)
    await before.occur("production")
    await before.resolve()
    await before.occur("production")
    clock.advance(7200)
    await before.occur("production")
    worker = Worker(store, clock)
    await worker.occur("production")
    assert await worker.told() == []


async def test_a_digest_of_an_environment_holds_what_is_new_there(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock, DAILY)
    await worker.occur("staging")
    assert not await store.read(select(pending))
    (first,) = await worker.occur("production")
    (row,) = await store.read(select(pending))
    assert (row.reason, row.event_id) == ("new", first)
