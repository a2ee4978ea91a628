"""A thread's bell: anybody may ring it at any moment, and one who waits hears all rings at once."""

from contextlib import suppress
from queue import Empty, SimpleQueue


class Bell:
    """Reentrant: a signal's handler or a destructor may ring while somebody rings."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake who waits, or will; waits for nothing."""
        self._rings.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until it has rung since the last time, for at most ``seconds``."""
        with suppress(Empty):
            self._rings.get(timeout=seconds)
        for _ in range(self._rings.qsize()):
            self._rings.get()
