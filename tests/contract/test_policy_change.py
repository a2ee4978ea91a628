"""Another policy while a worker runs: each batch by one policy, each notification by one dispatcher."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.fakes import BreakableStore
from tests.tools.recording import RecordingSender
from tests.tools.waiting import until

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.dispatching import Dispatching, Senders
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_shared.codec import BATCH_TYPE

pytestmark = pytest.mark.may_block("a zone's file is read once")


def policy_of(receiver: str, *, severity: str = "critical", send: str = "now", on: str = "new") -> Policy:
    return parse_policy(
        f'[receivers.{receiver}]\ntype = "log"\n'
        f'[rules.{severity}]\nseverity = "{severity}"\non = ["{on}"]\nsend = "{send}"\n'
    )


class Closable(RecordingSender):
    """Notes that it was closed."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


class HeldStore(BreakableStore):
    """Begins no transaction while the gate is shut."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        self.waiting += 1
        await self.gate.wait()
        async with super().write() as tx:
            yield tx


class Bench:
    """A pipeline and its dispatcher, as the assembly puts them together."""

    def __init__(self, store: Store, clock: FixedClock, policy: Policy, sender: RecordingSender) -> None:
        metrics = Metrics()

        def make(senders: Senders) -> Dispatcher:
            return Dispatcher(store, senders, metrics=metrics, clock=clock)

        self.store, self.clock = store, clock
        self.dispatching = Dispatching({sender.name: sender}, make)
        self.evaluator = Evaluator(policy, wake=self.dispatching.wake)
        self.pipeline = Pipeline(store, metrics=metrics, evaluator=self.evaluator, clock=clock)

    async def occur(self, kind: str, *, severity: str = "critical") -> None:
        event = wire_event(now=self.clock(), severity=severity, fingerprint=[kind], message=kind)
        body = json.dumps([event]).encode()
        await self.pipeline.ingest([read_delivery(body, BATCH_TYPE, origin="test", handle=None)])


async def test_new_receivers_are_told_while_an_attempt_for_an_old_one_ends(
    store: Store, clock: FixedClock
) -> None:
    old, new = Closable("old"), Closable("new")
    old.gate = asyncio.Event()
    bench = Bench(store, clock, policy_of("old"), old)
    running = asyncio.create_task(bench.dispatching.run())
    try:
        await bench.occur("a")
        await until(lambda: _is(len(old.received) == 1), "the old one is being told")
        bench.evaluator.use(policy_of("new"))
        bench.dispatching.use({"new": new})
        await bench.occur("b")
        await until(lambda: _is(new.keys == ["critical:INC-2:1:new:new"]), "the new one is told")
        assert not old.closed
        old.gate.set()
        await until(lambda: _is(old.closed), "the old one is let go")
        rows = await store.read(select(outbox.c.state).order_by(outbox.c.id))
        assert [row.state for row in rows] == ["sent", "sent"]
        await bench.dispatching.aclose()
        assert new.closed
    finally:
        running.cancel()


async def test_what_an_old_dispatcher_was_claiming_it_still_sends(store: Store, clock: FixedClock) -> None:
    old, new = Closable("old"), Closable("new")
    held = HeldStore(store)
    bench = Bench(held, clock, policy_of("old"), old)
    await bench.occur("a")
    held.gate.clear()
    held.waiting = 0
    running = asyncio.create_task(bench.dispatching.run())
    try:
        await until(lambda: _is(held.waiting > 0), "it is claiming")
        bench.dispatching.use({"new": new})
        for _ in range(20):
            await asyncio.sleep(0)  # whoever would end it without waiting has ended it by now
        held.gate.set()
        await until(lambda: _is(old.keys == ["critical:INC-1:1:new:old"]), "it is sent")
        await until(lambda: _is(old.closed), "and the old one let go")
    finally:
        running.cancel()


async def test_what_an_old_policy_settled_for_its_digest_is_judged_anew_by_the_new_one(
    store: Store, clock: FixedClock
) -> None:
    old = policy_of("log", severity="low", send="daily", on="continued")
    bench = Bench(store, clock, old, RecordingSender())
    await bench.occur("a", severity="low")
    await bench.occur("a", severity="low")
    bench.evaluator.use(policy_of("log", severity="low", send="weekly", on="continued"))
    await bench.occur("a", severity="low")
    rows = await store.read(select(pending.c.due_at))
    assert len({row.due_at for row in rows}) == 2


async def _is(holds: bool) -> bool:
    return holds
