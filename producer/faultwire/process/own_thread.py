"""A daemon thread of the client's own: its start may fail, and a join waits for its start too."""

import threading
from collections.abc import Callable
from contextlib import suppress

from faultwire.process.stack_room import need_room


class OwnThread:
    """A thread that runs once, started outside the critical section by the one that claimed its place there.

    A start waits until the thread runs, and a thread that has just begun may be collecting garbage: a
    destructor that hands over an error would wait for the section.
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._was_started = threading.Event()

    @property
    def is_current(self) -> bool:
        """True on that thread, which must not wait for itself."""
        return self._thread.ident == threading.get_ident()

    def start(self) -> bool:
        """Start it; False where the system gives no thread, as when the interpreter ends."""
        try:
            need_room()  # it waits for the thread that it has started, which must not run unknown to us
            self._thread.start()
        except RuntimeError:
            return False
        finally:
            self._was_started.set()
        return True

    def join(self, seconds: float) -> None:
        """Wait until it has ended: at most ``seconds`` for its start, and as long for its end."""
        if self._was_started.wait(seconds):
            with suppress(RuntimeError):  # it was never given
                self._thread.join(seconds)
