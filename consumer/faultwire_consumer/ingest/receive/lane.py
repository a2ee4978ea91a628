"""A lane's loop: collect, ingest, settle; two batches in flight, settled in the order they came."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.outcome import Outcome, Retry, must_return
from faultwire_consumer.ingest.read.age import occurred_in
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.receive.priority import LanePriority
from faultwire_consumer.ingest.receive.receiver import Ingester, LaneReceiver
from faultwire_consumer.ingest.receive.settlement import settle
from faultwire_consumer.metrics import Metrics
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.failpoint import failpoint
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

BATCH_EVENTS: Final = 500
LINGER_SECONDS: Final = 0.02
IN_FLIGHT: Final = 2
"""Batches in flight: one is decoded while the database works on the other."""
WARY_ATTEMPTS: Final = 6
WARY_SECONDS: Final = 1.0
"""A delivery that keeps coming back may be what kills the worker, or only what another lane held each time:
after a random wait one of them goes first, and the bystander is through before the next death."""
TRIAL_SECONDS: Final = (0.5, 5.0)
"""Wait between two trials, from the first bound to the last, within which a store that is back is found."""

log = get_logger(__name__)


class _Taken(Struct, frozen=True):
    """A batch in flight."""

    at: datetime
    first: Delivery
    deliveries: int


class LaneLoop:
    """Moves one receiver's deliveries through the pipeline until the receiver is stopped and drained.

    When the store cannot take something now, the lane pauses: what waits goes back, once, and one
    of the failed deliveries is kept as the trial. The lane goes on only when the store takes that
    one; a query that even a read-only server with a full disk answers would let the messages go
    back and forth until the broker gives them up. The trial is a copy: its message went back too,
    and is a duplicate when it comes again.
    """

    def __init__(
        self,
        receiver: LaneReceiver,
        pipeline: Ingester,
        *,
        metrics: Metrics,
        priority: LanePriority | None = None,
        rng: random.Random | None = None,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._receiver = receiver
        self._pipeline = pipeline
        self._metrics = metrics
        self._priority = priority or LanePriority()
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
        self._clock = clock
        self._taken: deque[_Taken] = deque()
        self._lost_at: datetime | None = None
        self._drained_at: datetime | None = None
        self._sleep = sleep
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._recovery: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        """Set once the last batch is settled, and so all before it."""
        self._settled.set()

    @property
    def lane(self) -> str:
        """The lane's name."""
        return self._receiver.lane

    @property
    def drained_at(self) -> datetime | None:
        """Time at which nothing was left to do; now while nothing is, None if that was never so.

        Messages that the broker holds back while a prefetch is full count as something left.
        """
        self._note_drained()
        return self._drained_at

    @property
    def why_idle(self) -> str:
        """The receiver's reason why nothing can come in; empty while something can."""
        return self._receiver.why_idle

    @property
    def lag_seconds(self) -> float:
        """Seconds that the oldest batch in flight has waited to be settled; 0 with none in flight."""
        return self._seconds_since(self._taken[0].at) if self._taken else 0.0

    @property
    def waiting_seconds(self) -> float:
        """Seconds for which the lane has been waiting for the store; 0 while it does not."""
        return self._seconds_since(self._lost_at) if self._lost_at is not None else 0.0

    @property
    def in_hand(self) -> int:
        """Number of deliveries that are not settled: those in flight, and those that wait for a batch."""
        return self._receiver.waiting + sum(taken.deliveries for taken in self._taken)

    @property
    def oldest_seconds(self) -> float:
        """Seconds since the event occurred that has been in hand longest; 0 with none in hand."""
        oldest, taken_at = self._receiver.oldest, self._clock()
        if self._taken:
            oldest, taken_at = self._taken[0].first, self._taken[0].at
        return 0.0 if oldest is None else self._seconds_since(occurred_in(oldest, taken_at=taken_at))

    def _seconds_since(self, moment: datetime) -> float:
        return max(0.0, (self._clock() - moment).total_seconds())

    async def run(self) -> None:
        """Run until the receiver's ``collect`` returns an empty batch; by then everything is settled."""
        async with asyncio.TaskGroup() as recoveries:
            await self._move_all(recoveries)
            if self._recovery is not None:
                self._recovery.cancel()  # it holds nothing unsettled

    async def _move_all(self, recoveries: asyncio.TaskGroup) -> None:
        async with asyncio.TaskGroup() as moves:
            while True:
                await self._slots.acquire()
                batch = await self._receiver.collect(size=BATCH_EVENTS, linger=LINGER_SECONDS)
                if not batch:
                    return
                self._taken.append(_Taken(self._clock(), batch[0], len(batch)))
                failpoint("worker.received")
                before, self._settled = self._settled, asyncio.Event()
                moves.create_task(self._move(batch, before, self._settled, recoveries))

    async def _move(
        self,
        batch: list[Delivery],
        before: asyncio.Event,
        settled: asyncio.Event,
        recoveries: asyncio.TaskGroup,
    ) -> None:
        try:
            if batch[0].is_suspect and batch[0].attempts >= WARY_ATTEMPTS:
                await self._sleep(self._rng.uniform(0, WARY_SECONDS))
            async with self._priority.slot(self.lane):
                outcomes = await self._ingest(batch)
            await before.wait()
            failed = [
                delivery for delivery, results in zip(batch, outcomes, strict=True) if must_return(results)
            ]
            if failed:
                # First the consumer goes, then the messages go back: else they would come again at once.
                await self._receiver.pause()
            failpoint("worker.settling")
            await settle(batch, outcomes, metrics=self._metrics)
            failpoint("worker.settled")
        finally:
            settled.set()
            self._taken.popleft()  # batches are settled in the order in which they were taken
            self._note_drained()
            self._slots.release()
        if failed and self._recovery is None:
            self._recovery = recoveries.create_task(self._recover(failed[0], _why(outcomes)))

    async def _ingest(self, batch: Sequence[Delivery]) -> list[list[Outcome]]:
        """Put a batch through; where the pipeline itself fails, it is as if the store were away."""
        try:
            return await self._pipeline.ingest(batch)
        except Exception as error:
            log.exception("lane.failed", lane=self.lane)
            return [[Retry(f"the worker failed: {type(error).__name__}")] for _ in batch]

    def _note_drained(self) -> None:
        if not self._taken and not self._receiver.waiting and self._receiver.receiving:
            self._drained_at = self._clock()

    async def _recover(self, trial: Delivery, why: str) -> None:
        log.warning("store.lost", lane=self._receiver.lane, why=why)
        self._lost_at = self._clock()
        for delay in full_jitter_delays(*TRIAL_SECONDS):
            await self._sleep(delay)
            (outcomes,) = await self._ingest([trial])
            if not must_return(outcomes):
                break
        # A batch that failed before this and is settled after it would pause the lane once more.
        await self._settled.wait()
        log.info("store.found", lane=self._receiver.lane)
        self._lost_at = None
        self._recovery = None  # a failure from here on belongs to another outage
        await self._receiver.resume()


def _why(outcomes: Sequence[Sequence[Outcome]]) -> str:
    return next(outcome.reason for outcome in chain.from_iterable(outcomes) if isinstance(outcome, Retry))
