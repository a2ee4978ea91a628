"""A lane's loop: collect, ingest, settle; two batches in flight, settled in the order they came."""

import asyncio
import random
from typing import Final

from faultwire_consumer.ingest.delivery import Delivery
from faultwire_consumer.ingest.outcome import must_return
from faultwire_consumer.ingest.receiver import Ingester, Receiver
from faultwire_consumer.ingest.settlement import settle
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract import Store, StoreUnavailableError
from faultwire_shared.failpoint import failpoint
from faultwire_shared.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

BATCH_EVENTS: Final = 500
LINGER_SECONDS: Final = 0.02
IN_FLIGHT: Final = 2
"""One batch is decoded while the database works on the other."""
WARY_ATTEMPTS: Final = 6
WARY_SECONDS: Final = 1.0
"""What comes back for ever may be what kills the worker, or only what another lane held each time:
after a wait by chance one of them goes first, and the bystander is through before the next death."""

log = get_logger(__name__)


class LaneLoop:
    """Moves one receiver's deliveries through the pipeline until the receiver is stopped and drained."""

    def __init__(
        self,
        receiver: Receiver,
        pipeline: Ingester,
        *,
        store: Store,
        metrics: Metrics,
        rng: random.Random | None = None,
    ) -> None:
        self._receiver = receiver
        self._pipeline = pipeline
        self._store = store
        self._metrics = metrics
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._store_is_away = asyncio.Lock()
        self._delays = full_jitter_delays(0.5, 10.0)

    async def run(self) -> None:
        """Run until `Receiver.collect` gives an empty batch; then everything taken in is settled."""
        before: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                batch = await self._receiver.collect(size=BATCH_EVENTS, linger=LINGER_SECONDS)
                if not batch:
                    return
                failpoint("worker.received")
                before = group.create_task(self._move(batch, before))

    async def _move(self, batch: list[Delivery], before: asyncio.Task[None] | None) -> None:
        try:
            if batch[0].is_suspect and batch[0].attempts >= WARY_ATTEMPTS:
                await asyncio.sleep(self._rng.uniform(0, WARY_SECONDS))
            outcomes = await self._pipeline.ingest(batch)
            if before is not None:
                await asyncio.wait({before})
            returns = any(must_return(its) for its in outcomes)
            if returns:
                # First the consumer goes, then the messages go back: else they came at once again.
                await self._receiver.pause()
            failpoint("worker.settling")
            await settle(batch, outcomes, metrics=self._metrics)
            failpoint("worker.settled")
        finally:
            self._slots.release()
        if returns:
            await self._wait_for_store()
        else:
            self._delays = full_jitter_delays(0.5, 10.0)

    async def _wait_for_store(self) -> None:
        if self._store_is_away.locked():
            return
        async with self._store_is_away:
            log.warning("store.lost", lane=self._receiver.lane)
            while True:
                await asyncio.sleep(next(self._delays))
                try:
                    await self._store.ping()
                except StoreUnavailableError:
                    continue
                break
            log.info("store.found", lane=self._receiver.lane)
            await self._receiver.resume()
