"""Closes the windows of a storm in time, from a thread of its own that stands only while there are any."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.storm import Storm
from faultwire.process.critical_section import SECTION
from faultwire.process.exit import register_holder
from faultwire.process.own_thread import OwnThread

IDLE_SECONDS: Final = 10.0
"""So long the thread waits for another window before it ends."""


class WindowCloser:
    """Sends the event of each window that ends, with its count; times are the storm's."""

    def __init__(
        self, storm: Storm, emitter: Emitter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storm = storm
        self._emitter = emitter
        self._clock = clock
        self._sending = threading.RLock()
        # Taken until a window opens. Not an Event, which a signal's handler may find half set.
        self._opened = threading.Lock()
        self._opened.acquire()
        self._thread: OwnThread | None = None
        register_holder(self)

    def see_to_it(self) -> None:
        """See that a window that has just opened is closed in time."""
        if self._thread is None and not self._start_thread():
            # Without `_sending`: an error waits for nobody, and a thread that closes may be logging.
            self._send(None)
            return
        with suppress(RuntimeError):  # the thread has not yet heard of the one before
            self._opened.release()

    def hand_over(self) -> None:
        """Send the events of all windows now; wait for who is at it already."""
        self._close(None)

    def _close(self, before: float | None) -> None:
        with self._sending:
            self._send(before)

    def _send(self, before: float | None) -> None:
        for window in self._storm.close(before):
            self._emitter.send(window.closed(), window.ticket)

    def _start_thread(self) -> bool:
        """Start it, unless there is one; False where the system gives none, as when the interpreter ends."""
        thread = OwnThread("faultwire storm", self._run)
        with SECTION.lock:
            if self._thread is not None:
                return True
            self._thread = thread
        is_started = thread.start()
        if not is_started:
            self._thread = None
        return is_started

    def _run(self) -> None:
        while True:
            due = self._storm.next_close()
            if due is not None:
                time.sleep(max(0.0, due - self._clock()))
                self._close(self._clock())
            elif self._ends():
                return

    def _ends(self) -> bool:
        """Wait for the next window; whether none came for long, and the thread's place is free again."""
        if self._opened.acquire(timeout=IDLE_SECONDS):
            return False
        with SECTION.lock:
            if self._storm.windows:
                return False
            self._thread = None
        return True
