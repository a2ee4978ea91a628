"""A worker without its command line: receivers, lanes and a store in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until

from faultwire_consumer.domain.outcome import Outcome, Retry, must_return
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE, DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.http import IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.ingest.receive.receiver import LaneReceiver
from faultwire_consumer.ingest.receive.settlement import BrokerHandle
from faultwire_consumer.maintenance.gaps import GapWatch
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.application import create_app
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Lane
from faultwire_shared.health import HealthChecker

RETURNED_ONCE: Final = 5
"""The attempts of a message that the worker returned once, at most: RabbitMQ adds one each time that it was
on its way to a consumer that is cancelled, at a pause or for another prefetch."""
MANY_TRIES: Final = 12
"""So many attempts had a message that went back and forth with each try of the store."""
TRIES: Final = "faultwire_batch_seconds_count"


class WatchedReceiver(AmqpReceiver):
    """Remembers how often messages had been delivered by the time that they came."""

    most_attempts = 0
    came_again = 0

    def read(
        self,
        body: bytes,
        message_type: str | None,
        headers: Mapping[str, Any],
        handle: BrokerHandle,
        *,
        attempts: int = 1,
    ) -> Delivery:
        delivery = super().read(body, message_type, headers, handle, attempts=attempts)
        self.most_attempts = max(self.most_attempts, delivery.attempts)
        # RabbitMQ 4.3 counts what a dead node or a return gave back by this header alone.
        self.came_again += delivery.attempts > 1 or bool(headers.get("x-acquired-count"))
        return delivery


class WatchedPipeline(Pipeline):
    """Remembers why something was not stored."""

    def __init__(self, store: Store, *, metrics: Metrics) -> None:
        super().__init__(store, metrics=metrics)
        self.reasons: set[str] = set()

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        outcomes = await super().ingest(deliveries)
        self.reasons |= {one.reason for its in outcomes for one in its if isinstance(one, Retry)}
        return outcomes


class Bench(Struct):
    """What a test looks at while the worker runs."""

    store: Store
    reader: StoreReader
    receivers: Sequence[LaneReceiver]
    metrics: Metrics
    parts: list[asyncio.Task[None]]
    pipeline: WatchedPipeline
    url: str = ""
    """Of its intake, where it has one."""

    def watch(self, *, open_seconds: float) -> GapWatch:
        """The loss audit's eyes, which look when the test says so."""

        async def ingest(body: bytes) -> bool:
            delivery = read_delivery(body, EVENT_TYPE, origin="test", handle=None)
            (outcomes,) = await self.pipeline.ingest([delivery])
            return not must_return(outcomes)

        return GapWatch(
            self.store,
            ingest,
            metrics=self.metrics,
            clock=lambda: datetime.now(UTC),
            open_seconds=open_seconds,
        )

    async def is_receiving(self) -> bool:
        """Whether every lane has its consumer."""
        return all(receiver.receiving for receiver in self.receivers)

    async def is_paused(self) -> bool:
        """Whether a lane waits for the store; a prefetch that changes takes a consumer away too."""
        return not all(one._is_wanted for one in self.receivers if isinstance(one, AmqpReceiver))

    @property
    def most_attempts(self) -> int:
        """How often the message that came most often was delivered, dead letters aside."""
        return max(one.most_attempts for one in self.receivers if isinstance(one, WatchedReceiver))

    @property
    def came_again(self) -> int:
        """How many deliveries were not a message's first, dead letters aside."""
        return sum(one.came_again for one in self.receivers if isinstance(one, WatchedReceiver))

    def met(self, text: str) -> bool:
        """Whether an event was not stored for a reason that says this."""
        return any(text in reason for reason in self.pipeline.reasons)

    def value(self, metric: str) -> float:
        """A metric without labels, as ``/metrics`` shows it."""
        return self.metrics.registry.get_sample_value(metric) or 0

    async def wait_for_tries(self, tries: int) -> None:
        """Wait until so many batches more have been tried, in vain or not."""
        before = self.value(TRIES)

        async def tried() -> bool:
            self.check()
            return self.value(TRIES) >= before + tries

        await until(tried, f"{tries} more tries", seconds=90)

    def idle(self) -> dict[str, str]:
        """The lanes that have no consumer, and why."""
        return {one.lane: one.why_idle for one in self.receivers if not one.receiving}

    def count(self, name: str, **labels: str) -> float:
        """A counter of the worker's, as ``/metrics`` would show it."""
        return self.metrics.registry.get_sample_value(f"faultwire_{name}_total", labels) or 0.0

    async def wait_for(self, events: int, *, seconds: float = 60) -> None:
        """Wait until so many events are stored; a part of the worker that died is told at once."""

        async def stored() -> bool:
            self.check()
            return await self.reader.stored() >= events

        await until(stored, f"{events} events are stored", seconds=seconds)

    async def dead_letters(self) -> int:
        """How many dead letters stand in the table."""
        return await self.reader.one("SELECT count(*) FROM {s}dead_letters")

    async def wait_for_dead_letters(self, letters: int) -> None:
        """Wait until so many dead letters are kept."""

        async def kept() -> bool:
            self.check()
            return await self.dead_letters() >= letters

        await until(kept, f"{letters} dead letters are kept")

    def check(self) -> None:
        """Fail where a part of the worker has ended, and say by what."""
        for part in self.parts:
            if part.done():
                part.result()
                raise AssertionError("a part of the worker ended by itself")


def receiver_of(bench: Bench, lane: Lane) -> AmqpReceiver:
    """The lane's, where it takes from a broker."""
    return next(one for one in bench.receivers if isinstance(one, AmqpReceiver) and one.lane == lane)


@asynccontextmanager
async def running(
    database_url: str, broker_url: str, *, wait: bool = True, timeouts: Timeouts | None = None
) -> AsyncIterator[Bench]:
    """Run a worker's lanes; at the end drain them."""
    store, metrics = await open_store(database_url, timeouts=timeouts), Metrics()
    receivers: list[LaneReceiver] = [WatchedReceiver(lane, broker_url, metrics=metrics) for lane in Lane]
    receivers.append(DeadQueueReceiver(broker_url, metrics=metrics))
    async with _moving(database_url, store, receivers, metrics) as bench:
        if wait:
            await until(bench.is_receiving, "every lane receives", seconds=60)
        yield bench
        bench.check()


def unreported() -> SelfReport:
    """A web without errors of its own: one that came would wait here, untold."""

    async def keep(body: bytes, message_type: str = EVENT_TYPE) -> bool:
        return False

    return SelfReport(keep, clock=lambda: datetime.now(UTC))


@asynccontextmanager
async def running_intake(database_url: str) -> AsyncIterator[Bench]:
    """The same without a broker, behind the door of HTTP."""
    store, metrics = await open_store(database_url), Metrics()
    receivers = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
    app = create_app(
        store=store,
        health=Health(live=HealthChecker(), ready=HealthChecker(), startup=HealthChecker()),
        metrics=metrics,
        intake=storing_intake(receivers),
        report=unreported(),
        clock=lambda: datetime.now(UTC),
        pipeline=Pipeline(store, metrics=metrics),
        policy=read_policy,
        loopback_only=True,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with _moving(database_url, store, receivers, metrics) as bench:
        bench.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield bench
            bench.check()
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _moving(
    database_url: str, store: Store, receivers: Sequence[LaneReceiver], metrics: Metrics
) -> AsyncIterator[Bench]:
    pipeline = WatchedPipeline(store, metrics=metrics)
    dead = DeadQueue(store, metrics=metrics, clock=lambda: datetime.now(UTC))
    lanes = [LaneLoop(one, dead if one.lane == DEAD_LANE else pipeline, metrics=metrics) for one in receivers]
    runs = [asyncio.create_task(one.run()) for one in receivers]
    moves = [asyncio.create_task(one.run()) for one in lanes]
    try:
        yield Bench(store, StoreReader(database_url), receivers, metrics, [*runs, *moves], pipeline)
    finally:
        await _end(receivers, runs, moves)
        await store.close()


async def _end(
    receivers: Sequence[LaneReceiver], runs: list[asyncio.Task[None]], moves: list[asyncio.Task[None]]
) -> None:
    for receiver in receivers:
        await receiver.stop()
    _, stuck = await asyncio.wait(moves, timeout=10)
    for receiver in receivers:
        await receiver.close()
    for move in stuck:
        move.cancel()
    _, stuck = await asyncio.wait([*runs, *moves], timeout=60)
    assert not stuck, f"still at work after its end: {stuck}"
