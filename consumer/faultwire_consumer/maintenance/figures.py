"""Keeps the figures of incidents behind their events: adds what batches wrote down, and lets time pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.events.figures.journal import ROWS, fold_journal
from faultwire_consumer.store.events.figures.standing import pass_time
from faultwire_consumer.store.upkeep.leases import acquire_lease
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "figures"
LINGER_SECONDS: Final = 0.2
"""Time that batches have to come together, after the first."""
PAUSE_SECONDS: Final = 1.0
FLOOD_SECONDS: Final = 4.0
"""The pause after so many batches that the next ones had better come together: of the same bugs they are
mostly, and adding up many batches costs hardly more than adding up one."""
FLOOD_BATCHES: Final = 10
SHARE: Final = 20
"""Adding takes at most about this fraction of the time, however many events come."""
POLL_SECONDS: Final = 20.0
"""Time after which it looks without being woken: for what a worker left that was killed."""
PASS: Final = timedelta(minutes=1)

log = get_logger(__name__)


class FigureKeeper:
    """Adds up in every worker, whoever is quicker; time passes in the one that holds the lease.

    Args:
        store: the store.
        holder: this worker's unique name.
        metrics: how many batches were added.
        clock: gives the time.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._holder = holder
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._woken = asyncio.Event()
        self._passed_at: datetime | None = None

    def wake(self) -> None:
        """Say that there is something to add."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; retry while the database is away."""
        while True:
            began, added = time.monotonic(), 0
            try:
                added = await self.run_once()
            except StoreUnavailableError as error:
                log.warning("chore.postponed", chore=LEASE, why=str(error))
            pause = FLOOD_SECONDS if added >= FLOOD_BATCHES else PAUSE_SECONDS
            await self._sleep(min(max(pause, SHARE * (time.monotonic() - began)), POLL_SECONDS))
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
            await self._sleep(LINGER_SECONDS)

    async def run_once(self) -> int:
        """Add everything that waits, and let time pass if it is time; return the number of batches added.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        self._woken.clear()
        added = await self._add()
        now = self._clock()
        if self._passed_at is None or not self._passed_at <= now < self._passed_at + PASS:
            await self._pass(now)
        return added

    async def _add(self) -> int:
        added = 0
        while True:
            batches = await fold_journal(self._store, now=self._clock())
            self._metrics.figures_added.inc(batches)
            added += batches
            if batches < ROWS:
                return added

    async def _pass(self, now: datetime) -> None:
        if await acquire_lease(self._store, LEASE, self._holder, now=now) is not None:
            await pass_time(self._store, now=now)
        self._passed_at = now
