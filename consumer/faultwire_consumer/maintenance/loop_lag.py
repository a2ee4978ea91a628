"""How late the event loop is: everything in the worker waits for it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from faultwire_consumer.metrics import Metrics

LOOK_SECONDS: Final = 0.25
REMEMBERED: Final = 40
"""Looks that are remembered: ten seconds, the time between two questions of an orchestrator."""


class LoopLag:
    """Sleeps shortly again and again, and sees how much later it wakes."""

    def __init__(self, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def seconds(self) -> float:
        """The worst of the last ten seconds."""
        return max(self._late, default=0.0)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._late.append(max(0.0, self._clock() - due))
            self._metrics.loop_lag_seconds.set(self.seconds)
