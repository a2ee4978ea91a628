"""The notification policy: receivers, and the rules that say who is notified of what and when."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.rules import GROWTH, InDigest, Rule
from faultwire_consumer.domain.silence.weekly import WeeklyWindow


class Policy(Struct, frozen=True, kw_only=True):
    """Everything that decides who is notified."""

    receivers: tuple[Receiver, ...]
    rules: tuple[Rule, ...]
    growth: tuple[int, ...] = GROWTH
    """The counts that are reported as growth of an incident."""

    @property
    def grows(self) -> tuple[int, ...]:
        """Return `growth` if a rule asks for it, else nothing: the store need not look."""
        return self.growth if any(NotificationReason.GROWTH in rule.on for rule in self.rules) else ()

    @property
    def digests(self) -> tuple[Rule, ...]:
        """Return the rules that report in digests."""
        return tuple(rule for rule in self.rules if isinstance(rule.sending, InDigest))

    @property
    def quiet(self) -> dict[str, tuple[WeeklyWindow, ...]]:
        """Return the quiet hours of the receivers that have some, by their names."""
        return {one.name: one.own.quiet for one in self.receivers if one.own.quiet}


DigestOf = tuple[str, str]
"""A rule and one of its receivers, by their names: the two that a digest belongs to."""


def next_digest(rules: Sequence[Rule], now: datetime) -> dict[DigestOf, datetime]:
    """Return the time at which each digest rule's next digest is due for each of its receivers."""
    return {
        (rule.name, receiver): rule.sending.schedule_for(receiver).next_after(now)
        for rule in rules
        if isinstance(rule.sending, InDigest)
        for receiver in rule.receivers
    }
