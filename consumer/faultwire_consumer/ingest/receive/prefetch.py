"""The number of messages a lane may hold at once: their bytes stay within a budget, and no bystander suffers.

RabbitMQ counts messages, not bytes, and a message has anything from 200 bytes to 256 KiB.
"""

from typing import Final

from faultwire_shared.event import MESSAGE_BYTES

BUDGET_BYTES: Final = 8 * 1024 * 1024
"""Budget of one lane: 3,600 events in batches of fifty, or thirty-two messages at their limit. Two batches
are in flight and two wait; three times as much is no faster and costs 25 MiB of memory."""
PREFETCH_MAX: Final = 1000
"""Enough for two batches of 500 single events: one is decoded while the database works on the other."""
PREFETCH_MIN: Final = 32
ALONE: Final = 1
"""Prefetch with a suspect. Messages that a worker holds when it dies come back with one more attempt, and the
broker sets aside those that came back too often: a message that may have killed the worker is held alone."""
_WEIGHT: Final = 1 / 32


class PrefetchPlan:
    """Follows the size of the messages that come, and says when another prefetch would fit better."""

    def __init__(self) -> None:
        # Assume the worst at first: the first messages of a backlog may all be at the limit.
        self._average = float(MESSAGE_BYTES)
        # And the first of them may have killed the last worker.
        self.messages = ALONE

    def note(self, size: int, *, is_suspect: bool = False) -> bool:
        """Record a message's size; return True if the prefetch should change to `messages`."""
        self._average += (size - self._average) * _WEIGHT
        if is_suspect or self.messages == ALONE:
            before, self.messages = self.messages, ALONE if is_suspect else self._fitting()
            return self.messages != before
        fitting = self._fitting()
        # Twice or half: each change costs a new consumer.
        is_at_maximum = fitting == PREFETCH_MAX > self.messages
        if self.messages <= fitting // 2 or fitting <= self.messages // 2 or is_at_maximum:
            self.messages = fitting
            return True
        return False

    def _fitting(self) -> int:
        return max(PREFETCH_MIN, min(PREFETCH_MAX, int(BUDGET_BYTES / max(1.0, self._average))))
