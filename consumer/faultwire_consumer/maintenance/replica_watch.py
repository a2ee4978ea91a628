"""Watches the read replica, and logs once when queries leave it and when they come back."""

import asyncio
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.replica.store import ReplicatedStore
from faultwire_shared.logging.logs import get_logger

PAUSE_SECONDS: Final = 1.0
"""Wait between two checks: for at least this long a caller that wrote reads from the primary."""

log = get_logger(__name__)


class ReplicaUnusedError(Exception):
    """The replica answers no queries; the primary answers them all."""


class ReplicaWatch:
    """Checks the replica of ``store`` every second."""

    def __init__(self, store: ReplicatedStore, *, metrics: Metrics) -> None:
        self.store = store
        self._metrics = metrics
        self._was_used = True

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.store.poll()
            self._report()
            await asyncio.sleep(PAUSE_SECONDS)

    def _report(self) -> None:
        why = self.store.why_unused
        behind = self.store.behind_seconds
        self._metrics.replica_behind.set(float("nan") if behind is None else behind)
        if why and self._was_used:
            log.warning("replica.left", why=why)
        elif not why and not self._was_used:
            log.info("replica.joined")
        self._was_used = not why

    async def check(self) -> float:
        """Return how far the replica is behind, in seconds.

        Raises:
            ReplicaUnusedError: queries go to the primary; the text says why.
        """
        if why := self.store.why_unused:
            raise ReplicaUnusedError(f"queries go to the primary: {why}")
        return self.store.behind_seconds or 0.0
