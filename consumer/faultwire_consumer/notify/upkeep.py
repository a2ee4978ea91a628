"""What the outbox and the windows need now and again: measures, and an end for what nobody takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.queries import measure_outbox
from faultwire_consumer.store.outbox.windows import prune_windows
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

MEASURE_SECONDS: Final = 5.0
ORPHANS_EVERY: Final = 12
PRUNE_EVERY: Final = 720

log = get_logger(__name__)


class Upkeep:
    """Measures every few seconds, looks for orphans every minute, forgets windows every hour."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self.overdue_seconds = 0.0
        """How long the oldest notification that is due has waited, at the last look."""

    async def run(self) -> None:
        """Go on until cancelled; a database that is away is asked again."""
        turn = 0
        while True:
            try:
                await self.measure()
                if turn % ORPHANS_EVERY == 0:
                    await self._dispatcher.give_up_orphans()
                if turn % PRUNE_EVERY == 0:
                    await prune_windows(self._store, now=self._clock())
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="outbox", why=str(error))
            turn += 1
            await self._sleep(MEASURE_SECONDS)

    async def measure(self) -> None:
        """Show how much the outbox holds, and how long the oldest that is due has waited.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        depth = await measure_outbox(self._store, now=self._clock())
        self._metrics.outbox_waiting.set(depth.waiting)
        self._metrics.outbox_overdue_seconds.set(depth.overdue_seconds)
        self.overdue_seconds = depth.overdue_seconds
