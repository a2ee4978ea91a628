"""Regular work on the outbox and the windows: gauges, orphaned notifications, old windows."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.own_watch import OwnWatch
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.queries import measure_outbox
from faultwire_consumer.store.outbox.windows import prune_windows
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

MEASURE_SECONDS: Final = 5.0
ORPHANS_EVERY: Final = 12
PRUNE_EVERY: Final = 720

log = get_logger(__name__)


class OrphanKeeper(Protocol):
    """A part that knows the policy's receivers."""

    @property
    def receivers(self) -> Collection[str]:
        """The names of the policy's receivers."""
        ...

    async def give_up_orphans(self) -> int:
        """Give up notifications for receivers that the policy does not know; return their number."""
        ...


class OutboxWatch:
    """Measures every few seconds, gives up orphans every minute, deletes old windows every hour."""

    def __init__(
        self,
        store: Store,
        dispatcher: OrphanKeeper,
        *,
        metrics: Metrics,
        clock: Clock,
        watch: OwnWatch | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._clock = clock
        self._watch = watch or OwnWatch()
        self._sleep = sleep
        self.overdue_seconds = 0.0
        """Wait of the oldest notification that is due, at the last measurement."""

    async def run(self) -> None:
        """Work until cancelled; retry while the database is away."""
        rounds = 0
        while True:
            try:
                await self.measure()
                if rounds % ORPHANS_EVERY == 0:
                    await self._dispatcher.give_up_orphans()
                if rounds % PRUNE_EVERY == 0:
                    await prune_windows(self._store, now=self._clock())
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="outbox", why=str(error))
            rounds += 1
            await self._sleep(MEASURE_SECONDS)

    async def measure(self) -> None:
        """Measure how much the outbox holds, and how long the oldest due notification has waited.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        now = self._clock()
        depth = await measure_outbox(self._store, now=now, receivers=self._dispatcher.receivers)
        self._metrics.outbox_waiting.set(depth.waiting)
        self._metrics.outbox_overdue_seconds.set(depth.overdue_seconds)
        self.overdue_seconds = depth.overdue_seconds
        self._watch.note_overdue(depth.overdue_seconds, now=now)
