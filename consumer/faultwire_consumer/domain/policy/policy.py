"""The notification policy: receivers, and the rules that say who is notified of what and when."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.rules import GROWTH, Conditions, InDigest, Rule
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.domain.telling.inhibition import Inhibition
from faultwire_consumer.domain.telling.recovery import encode_hears


class Policy(Struct, frozen=True, kw_only=True):
    """Everything that decides who is notified."""

    receivers: tuple[Receiver, ...]
    rules: tuple[Rule, ...]
    growth: tuple[int, ...] = GROWTH
    """The counts that are reported as growth of an incident."""
    written: Secret = Secret("")
    """The TOML that it was read from, with its addresses; empty where it was read from no file."""
    inhibits: tuple[Inhibition, ...] = ()
    """Inhibitions of the file itself; rules have more, see `inhibitions`."""

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]:
        """Return everything that stops notifications while an incident explains them."""
        own = (
            Inhibition(
                name=rule.name,
                when=rule.unless.when,
                mutes=Conditions(),
                rule=rule.name,
                seen_within=rule.unless.seen_within,
                also_critical=rule.unless.also_critical,
            )
            for rule in self.rules
            if rule.unless is not None
        )
        return (*self.inhibits, *own)

    @property
    def hears(self) -> dict[str, str]:
        """Return what receivers ask for beside what rules send them, by name, as the outbox keeps it."""
        heard = {receiver.name: encode_hears(receiver.hears) for receiver in self.receivers}
        return {name: text for name, text in heard.items() if text is not None}

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
