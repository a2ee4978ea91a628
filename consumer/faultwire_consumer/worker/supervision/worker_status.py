"""A worker in one line, as ``systemctl status`` shows it: lanes that receive, and events a second."""

import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from faultwire_consumer.web.health.check import CheckedLane


class WorkerStatus:
    """Says how a worker does, with its rate since it was asked last."""

    def __init__(
        self, lanes: Sequence[CheckedLane], stored: Counter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lanes = lanes
        self._stored = stored
        self._clock = clock
        self._before = (clock(), _value_of(stored))

    def say(self) -> str:
        """Return the line."""
        then, had = self._before
        now, has = self._before = (self._clock(), _value_of(self._stored))
        rate = (has - had) / (now - then) if now > then else 0.0
        receiving = sum(not lane.why_idle for lane in self._lanes)
        return f"{receiving} of {len(self._lanes)} lanes receive, {rate:.1f} events a second"


def _value_of(counter: Counter) -> float:
    (family,) = counter.collect()
    return family.samples[0].value
