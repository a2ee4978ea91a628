"""The amount that may be under way at once: a whole window on a good line, a little on one that crawls."""

from collections.abc import Callable, Iterator
from typing import Final

from faultwire_shared.event import BATCH_EVENTS

WINDOW: Final = 20
"""Messages of one lane that may wait for their confirm at the same time."""
WINDOW_BYTES: Final = 1024 * 1024
"""What these may hold together before another one goes: each stands in memory as its events, as a message,
and as those of its frames that the line does not take."""
QUICK_SECONDS: Final = 0.5
SLOW_SECONDS: Final = 2.0
"""A confirm that takes longer is near the end of its time: less must be under way."""

Delays = Callable[[float], Iterator[float]]
"""Makes endless waits in seconds that grow up to the given most."""


class Pace:
    """The window and the size of a batch, halved by slow confirms and failures, doubled by quick confirms.

    A batch of 128 KB needs 16 s on a line of 8 KB/s, which is longer than a publish may take: sent again and
    again, it would never arrive. Connections that die for other reasons cost a few confirms of small batches.
    """

    def __init__(self) -> None:
        self.window: int = WINDOW
        self.events: int = BATCH_EVENTS

    def allows(self, messages: int, size: int) -> bool:
        """Return True if a lane may send one more message while these wait for their confirm."""
        return messages == 0 or (messages < self.window and size < WINDOW_BYTES)

    def note_confirm(self, took_seconds: float) -> None:
        """Learn from a confirm and the time that it took."""
        if took_seconds > SLOW_SECONDS:
            self.note_failure()
        elif took_seconds < QUICK_SECONDS:
            self.window = min(2 * self.window, WINDOW)
            self.events = min(2 * self.events, BATCH_EVENTS)

    def note_failure(self) -> None:
        """Learn from a publish that failed with its connection."""
        self.window = max(1, self.window // 2)
        self.events = max(1, self.events // 2)
