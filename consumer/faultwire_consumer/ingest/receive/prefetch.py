"""How many messages a lane may hold at once, so that their bytes stay within a budget, and no bystanders.

RabbitMQ counts messages, not bytes, and a message has anything from 200 bytes to 256 KiB.
"""

from typing import Final

from faultwire_shared.event import MESSAGE_BYTES

BUDGET_BYTES: Final = 8 * 1024 * 1024
"""For one lane: 3,600 events in batches of fifty, or thirty-two messages at their limit. Two batches are in
flight and two wait; three times as much is no faster and costs 25 MiB of memory."""
MOST: Final = 1000
"""Two batches of 500 single events: one is decoded while the database works on the other."""
LEAST: Final = 32
ALONE: Final = 1
"""What a worker holds when it dies comes back with an attempt more, and the broker sets aside what
came back too often: where an event may have killed it, it holds that one and no other."""
_WEIGHT: Final = 1 / 32


class PrefetchPlan:
    """Follows the size of the messages that come, and says when another prefetch would fit better."""

    def __init__(self) -> None:
        # The worst until better is known: the first messages of a backlog may all be at the limit.
        self._average = float(MESSAGE_BYTES)
        # And the first of them may be why the last worker is no more.
        self.messages = ALONE

    def note(self, size: int, *, is_suspect: bool = False) -> bool:
        """Take a message's size into account; True where the prefetch should change to `messages`."""
        self._average += (size - self._average) * _WEIGHT
        if is_suspect or self.messages == ALONE:
            before, self.messages = self.messages, ALONE if is_suspect else self._fitting()
            return self.messages != before
        fitting = self._fitting()
        # Twice or half: each change costs a new consumer.
        if self.messages <= fitting // 2 or fitting <= self.messages // 2 or fitting == MOST > self.messages:
            self.messages = fitting
            return True
        return False

    def _fitting(self) -> int:
        return max(LEAST, min(MOST, int(BUDGET_BYTES / max(1.0, self._average))))
