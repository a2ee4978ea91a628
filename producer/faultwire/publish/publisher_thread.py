"""A publisher in an event loop of our own, for hosts that have none; the first event starts its thread."""

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from faultwire.process.critical_section import SECTION
from faultwire.process.exit import register_publisher
from faultwire.process.loop_thread import LoopThread, load
from faultwire.publish.outlet import Outlet

SLACK_SECONDS: Final = 0.5
"""A busy machine may be so late with the answer of a loop that kept its own time."""

T = TypeVar("T")


class PublisherThread:
    """Runs one outlet. Everything here may be called from any thread, and blocks where it takes seconds."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._loop = LoopThread("faultwire publisher")
        self._is_publishing = False
        outlet.on_idle = self.start

    @property
    def may_wait(self) -> bool:
        """True if the caller can wait for the publisher: neither its own thread nor an interruption can."""
        return not (self._loop.is_current or SECTION.is_ours())

    def start(self) -> None:
        """See that there is a publisher; a call while one is being made does nothing."""
        if self._is_publishing and self._loop.is_running:
            return
        self._is_publishing = self._loop.start()
        if self._is_publishing:
            register_publisher(self)
            self._loop.post(partial(load, self._outlet.start))

    def flush(self, seconds: float) -> bool:
        """Wait until nothing is in memory, for at most ``seconds``; True if that was reached."""
        flushed = self._run(lambda: self._outlet.flush(seconds), seconds)
        return not self._outlet.buffer.held if flushed is None else flushed

    def close(self, seconds: float) -> None:
        """Flush and close, within ``seconds`` altogether."""
        deadline = time.monotonic() + seconds
        if not self._loop.start():
            self._outlet.close_here(seconds)
            return
        self._run(lambda: self._outlet.aclose(seconds), seconds)
        self.stop(max(0.1, deadline - time.monotonic()))

    def stop(self, seconds: float) -> None:
        """End the thread, in at most ``seconds``."""
        self._loop.stop(seconds)

    def depart(self, seconds: float) -> Future[None] | None:
        """Begin to close, as the process ends."""
        if not self._loop.is_running:
            return None
        return self._loop.submit(self._outlet.depart(seconds))

    def leak(self) -> None:
        """In a forked child: the thread stayed with the parent, and so did what its loop has open."""
        self._loop.leak()

    def _run(self, make: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T | None:
        """The coroutine's result; None where it cannot be run, or does not end in time."""
        if self._loop.is_current or not self._loop.start():
            return None
        future = self._loop.submit(make())
        if future is None:
            return None
        try:
            return future.result(seconds + SLACK_SECONDS)
        except Exception:  # noqa: BLE001 - its time ran out or its loop ended: the host is told by the answer
            future.cancel()
            return None
