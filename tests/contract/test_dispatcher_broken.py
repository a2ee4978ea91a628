"""A connection that breaks while a notification is on its way delays it by moments, not by a lease."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Executable, Row, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_body
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify import attempt
from faultwire_consumer.notify.dispatcher import LEASE_SECONDS, Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import Store, StoreBusyError, StoreReader, Transaction
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.codec import EVENT_TYPE

POLICY = parse_policy('[receivers.log]\ntype = "log"\n', shipped=shipped_text())

pytestmark = pytest.mark.may_block("a zone's file is read once")


class BrokenStore:
    """A store whose connection breaks behind a commit: its answer is lost, or the reads that follow fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.name
        self.loses_answer = False
        self.failing_reads = 0
        self.on_failed_read: Callable[[], Awaitable[object]] | None = None
        self._failing = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        async with self._store.write() as tx:
            yield tx
        self._failing, self.failing_reads = self.failing_reads, 0
        if self.loses_answer:
            self.loses_answer = False
            raise StoreBusyError("connection was closed in the middle of operation")

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        if self._failing:
            self._failing -= 1
            if self.on_failed_read is not None:
                await self.on_failed_read()
            raise StoreBusyError("connection was closed in the middle of operation")
        return await self._store.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        yield self


class Bench:
    """A critical notification that waits, and a dispatcher on a store that breaks when the test says so."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store, self.sender = BrokenStore(store), RecordingSender()
        self._clock, self._under = clock, store

    def dispatcher(self, store: Store) -> Dispatcher:
        return Dispatcher(store, {self.sender.name: self.sender}, metrics=Metrics(), clock=self._clock)

    async def occur(self) -> None:
        pipeline = Pipeline(self._under, metrics=Metrics(), evaluator=Evaluator(POLICY), clock=self._clock)
        body = wire_body(now=self._clock(), severity="critical")
        await pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="test", handle=None)])

    async def take_over(self) -> None:
        """Let another worker's dispatcher send what this one has had for longer than a lease."""
        self._clock.advance(LEASE_SECONDS + 1)
        await self.dispatcher(self._under).run_once()


@pytest.fixture
async def bench(store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(attempt, "READ_AGAIN_SECONDS", 0.001)
    bench = Bench(store, clock)
    await bench.occur()
    return bench


async def test_what_was_claimed_is_read_again_when_its_connection_breaks(bench: Bench) -> None:
    bench.store.failing_reads = 3
    assert await bench.dispatcher(bench.store).run_once() == 1
    assert bench.sender.keys == ["critical:INC-1:1:new:log"]


async def test_a_claim_whose_commit_s_answer_was_lost_is_sent_all_the_same(bench: Bench) -> None:
    bench.store.loses_answer = True
    assert await bench.dispatcher(bench.store).run_once() == 1
    assert bench.sender.keys == ["critical:INC-1:1:new:log"]
    (row, *_) = await bench.store.read(select(outbox).order_by(outbox.c.id))
    assert (row.state, row.attempts) == ("sent", 1)


async def test_what_another_dispatcher_took_over_meanwhile_is_not_sent_twice(bench: Bench) -> None:
    bench.store.failing_reads, bench.store.on_failed_read = 1, bench.take_over
    await bench.dispatcher(bench.store).run_once()
    assert bench.sender.keys == ["critical:INC-1:1:new:log"]
