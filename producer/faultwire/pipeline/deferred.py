"""Errors that interrupted the critical section: set aside without waiting, handed over by another thread."""

import _thread
import threading
from collections import deque
from collections.abc import Callable

from faultwire.process.exit import register_holder


class Deferred:
    """The steps that are still to be done for such errors. Everything here may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._handing_over = threading.RLock()
        self._is_summoned = False
        register_holder(self)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, step: Callable[[], object]) -> None:
        """Have this done soon, and wait for nothing."""
        self._waiting.append(step)
        if not self._is_summoned:
            self._is_summoned = True
            try:
                # Not by `threading`, whose start waits for the thread.
                _thread.start_new_thread(self.hand_over, ())
            except RuntimeError:  # the system gives none; the next flush or close hands it over
                self._is_summoned = False

    def hand_over(self) -> None:
        """Do all of it, and wait for what another thread is doing of it."""
        self._is_summoned = False
        with self._handing_over:
            while self._waiting:
                try:
                    step = self._waiting.popleft()
                except IndexError:  # a destructor that flushes took the last one
                    return
                step()
