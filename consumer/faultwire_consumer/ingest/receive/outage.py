"""Decides which of a lane's troubles with the broker is worth a log line."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

LOG_SECONDS: Final = 300.0
"""Wait between two lines for the same reason: four lanes, and less than a line a minute in all."""


class OutageReason(StrEnum):
    """The reason why a lane cannot consume its queue."""

    LOST = "lost"
    """The connection, the channel or the consumer is gone."""
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """Wrong credentials or a missing right."""
    TOPOLOGY = "topology"
    """The queue is missing, or exists with other arguments."""


class Outage:
    """Reports each reason when it first appears and then every five minutes, even if the lane flaps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at: dict[OutageReason, float] = {}
        self._is_news_to_be_well = True
        self.why = "not connected yet"
        self.attempts = 0
        """Attempts since the lane last received."""

    def note_trouble(self, reason: OutageReason, why: str) -> bool:
        """Record a trouble; return True if it is to be logged."""
        self.why = why
        self.attempts += 1
        now = self._clock()
        if now - self._logged_at.get(reason, now - LOG_SECONDS) < LOG_SECONDS:
            return False
        self._logged_at[reason] = now
        self._is_news_to_be_well = True
        return True

    def note_well(self) -> bool:
        """Record that the lane receives; return True if that is to be logged."""
        self.attempts = 0
        is_news, self._is_news_to_be_well = self._is_news_to_be_well, False
        return is_news
