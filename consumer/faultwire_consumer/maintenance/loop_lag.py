"""Lag of the event loop, for which everything in the worker waits."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from faultwire_consumer.metrics import Metrics

POLL_SECONDS: Final = 0.25
REMEMBERED: Final = 40
"""Measurements that are remembered: ten seconds, the usual interval of an orchestrator's probes."""


class LoopLag:
    """Sleeps briefly again and again, and measures how much later it wakes."""

    def __init__(self, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def seconds(self) -> float:
        """The worst lag of the last ten seconds."""
        return max(self._late, default=0.0)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock() + POLL_SECONDS
            await asyncio.sleep(POLL_SECONDS)
            self._late.append(max(0.0, self._clock() - due))
            self._metrics.loop_lag_seconds.set(self.seconds)
