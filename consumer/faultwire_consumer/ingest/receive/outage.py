"""Which of a lane's troubles with the broker is worth a line in the log."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

LOG_SECONDS: Final = 300.0
"""Between two lines for the same reason: four lanes, and less than a line a minute in all."""


class OutageReason(StrEnum):
    """What keeps a lane from its queue."""

    LOST = "lost"
    """The connection, the channel or the consumer is gone."""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """Wrong credentials or a missing right."""
    TOPOLOGY = "topology"
    """The queue is missing, or stands with other arguments."""


class Outage:
    """Each reason is told when it first shows and then every five minutes, also of a lane that flaps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at: dict[OutageReason, float] = {}
        self._is_news_to_be_well = True
        self.why = "not connected yet"
        self.attempts = 0
        """Since the lane last received."""

    def note_trouble(self, reason: OutageReason, why: str) -> bool:
        """Take a trouble in; whether to tell of it."""
        self.why = why
        self.attempts += 1
        now = self._clock()
        if now - self._told_at.get(reason, now - LOG_SECONDS) < LOG_SECONDS:
            return False
        self._told_at[reason] = now
        self._is_news_to_be_well = True
        return True

    def note_well(self) -> bool:
        """The lane receives; whether to tell of it."""
        self.attempts = 0
        is_news, self._is_news_to_be_well = self._is_news_to_be_well, False
        return is_news
