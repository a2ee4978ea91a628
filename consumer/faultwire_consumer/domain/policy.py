"""The threshold policy: receivers, and the rules that say who is told of what and when."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.rules import GROWTH, InDigest, Rule


class PolicyError(Exception):
    """A policy that cannot be; ``line`` is where, the text says what and how to mend it."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class ReceiverType(StrEnum):
    """By which way a receiver is told."""

    LOG = "log"
    WEBHOOK = "webhook"


class Secret(Struct, frozen=True):
    """A text that no log line and no answer shows."""

    text: str

    def __repr__(self) -> str:
        return "***"


class Receiver(Struct, frozen=True, kw_only=True):
    """Who can be told."""

    name: str
    type: ReceiverType
    url: Secret | None = None
    """Its path often is the password, so it is kept as one."""
    secret: tuple[Secret, ...] = ()
    """What a webhook's messages are signed with; two while one takes the other's place."""
    secret_file: str | None = None
    allow_private_addresses: bool = False


class Policy(Struct, frozen=True, kw_only=True):
    """Everything that decides about notifications."""

    receivers: tuple[Receiver, ...]
    rules: tuple[Rule, ...]
    growth: tuple[int, ...] = GROWTH
    """The counts at which an incident has grown."""

    @property
    def grows(self) -> tuple[int, ...]:
        """`growth` where a rule asks for it, else nothing: the store need not look."""
        return self.growth if any(NotificationReason.GROWTH in rule.on for rule in self.rules) else ()

    @property
    def digests(self) -> tuple[Rule, ...]:
        """The rules that tell in digests."""
        return tuple(rule for rule in self.rules if isinstance(rule.sending, InDigest))


def next_digest(rules: Sequence[Rule], now: datetime) -> dict[str, datetime]:
    """When each digest rule's next digest is due."""
    return {
        rule.name: rule.sending.schedule.next_after(now)
        for rule in rules
        if isinstance(rule.sending, InDigest)
    }
