"""The notification policy: receivers, and the rules that say who is notified of what and when."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.rules import GROWTH, InDigest, Rule


class PolicyError(Exception):
    """The policy is not valid; ``line`` says where, the text what is wrong and how to fix it."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class ReceiverType(StrEnum):
    """The way a receiver is notified."""

    LOG = "log"
    WEBHOOK = "webhook"


class Secret(Struct, frozen=True):
    """A text that no log line and no response shows."""

    text: str

    def __repr__(self) -> str:
        return "***"


class Receiver(Struct, frozen=True, kw_only=True):
    """A destination of notifications."""

    name: str
    type: ReceiverType
    url: Secret | None = None
    """Kept as a secret, because the path often is the password."""
    secret: tuple[Secret, ...] = ()
    """The keys that sign a webhook's messages; two while one replaces the other."""
    secret_file: str | None = None
    allow_private_addresses: bool = False


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


def next_digest(rules: Sequence[Rule], now: datetime) -> dict[str, datetime]:
    """Return the time at which each digest rule's next digest is due."""
    return {
        rule.name: rule.sending.schedule.next_after(now)
        for rule in rules
        if isinstance(rule.sending, InDigest)
    }
