"""Rules: what is notified, to whom and when. Pure, each answer with its reason."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Status, Touched, Transition, TransitionReason
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.schedule import Schedule
from faultwire_shared.event import ErrorSeverity, Scalar

TRIGGERS: Final = (
    NotificationReason.NEW,
    NotificationReason.REGRESSED,
    NotificationReason.SEVERITY_ROSE,
    NotificationReason.GROWTH,
    NotificationReason.CONTINUED,
)
"""The reasons that a rule's ``on`` can name; a threshold has keys of its own."""

STATE_CHANGES: Final = frozenset((NotificationReason.REGRESSED, NotificationReason.SEVERITY_ROSE))
"""Reasons that no throttle may hold back."""

GROWTH: Final = tuple(10**power for power in range(1, 19))
"""The counts that are reported as growth, if a policy names no others."""


class Per(StrEnum):
    """The scope in which a threshold counts events together."""

    INCIDENT = "incident"
    SERVICE = "service"
    CATEGORY = "category"
    ALL = "all"


class Facts(Struct, frozen=True, kw_only=True):
    """The facts that conditions test: of an event, or of an incident by its newest event."""

    severity: ErrorSeverity
    category: str
    service: str
    environment: str
    release: str
    code: str
    type: str
    """Type of the exception that was raised, without its module; empty if there is none."""
    tags: Mapping[str, Scalar]


class Conditions(Struct, frozen=True, kw_only=True):
    """Conditions that must all hold; any value of one will do, and an empty one accepts everything."""

    severity: frozenset[ErrorSeverity] = frozenset()
    category: frozenset[str] = frozenset()
    service: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def match(self, facts: Facts) -> bool:
        """Return True if the facts meet every condition."""
        if self.severity and facts.severity not in self.severity:
            return False
        if self.category and facts.category not in self.category:
            return False
        return all(
            _is_like(getattr(facts, name), patterns) for name in PATTERNS if (patterns := getattr(self, name))
        ) and all(name in facts.tags and _is_like(_text(facts.tags[name]), like) for name, like in self.tags)


PATTERNS: Final = ("service", "environment", "release", "code", "type")
"""Conditions whose values are shell patterns: ``*``, ``?`` and ``[…]``."""


class Threshold(Struct, frozen=True, kw_only=True):
    """A number of events or new incidents within a time."""

    number: int
    length: timedelta
    per: Per
    counts_incidents: bool
    """Counts new incidents instead of events."""


class AtOnce(Struct, frozen=True):
    """Sends each notification on its own, without delay."""


class Within(Struct, frozen=True):
    """Gathers notifications, and sends them together before the time is over."""

    limit: timedelta

    @property
    def gathering(self) -> timedelta:
        """Return how long notifications are gathered.

        The rest of the limit covers a dispatcher that dies while it holds a lease, which is a minute,
        and a slow database.
        """
        return self.limit * 7 / 10


class InDigest(Struct, frozen=True):
    """Sends everything of a day or week in one notification."""

    schedule: Schedule
    own: tuple[tuple[str, Schedule], ...] = ()
    """Receivers whose digests come at times of their own."""
    sends_empty: bool = False
    """Sends a digest also where nothing happened."""

    def schedule_for(self, receiver: str) -> Schedule:
        """Return the times of one receiver's digests."""
        return dict(self.own).get(receiver, self.schedule)


Sending = AtOnce | Within | InDigest

STARTS: Final = STATE_CHANGES | {NotificationReason.NEW}
"""Reasons that begin something: reminders and an escalation follow them until somebody acknowledges."""


class Escalation(Struct, frozen=True):
    """A second circle of receivers, told of what the first did not acknowledge in time."""

    after: timedelta
    """Time from when the first notification is due."""
    receivers: tuple[str, ...]


class AbsenceTerm(Struct, frozen=True):
    """A silence that a rule does not allow: services that sent nothing for so long."""

    services: tuple[str, ...]
    """Names and patterns; a service that is named is missed though it was never seen."""
    after: timedelta


class Unless(Struct, frozen=True, kw_only=True):
    """An incident that explains others: while one like it is open, their notifications are stopped."""

    when: Conditions
    """Asks for severity, category, service and code alone: an incident as a whole has no others."""
    seen_within: timedelta
    """An incident without an event for so long explains nothing any more, though nobody resolved it."""
    also_critical: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """A rule of the policy: what is notified, to whom and when."""

    name: str
    where: Conditions
    on: frozenset[NotificationReason]
    threshold: Threshold | None
    sending: Sending
    receivers: tuple[str, ...]
    remind_every: timedelta | None = None
    auto_resolve_days: int | None = None
    """Days without an event after which an incident that it matches is resolved; None: never."""
    owner_first: bool = False
    """Tells the receivers of whoever the incident is assigned to, and its own only where there are none."""
    escalation: Escalation | None = None
    unless: Unless | None = None
    absence: AbsenceTerm | None = None
    """Its `where` is then met by the incidents that tell of it."""


class Happened(Struct, frozen=True):
    """One thing that happened to an incident; ``mark`` distinguishes two of one kind."""

    reason: NotificationReason
    mark: str = ""


class Verdict(Struct, frozen=True):
    """A rule's decision to notify, and the reason."""

    rule: Rule
    happened: Happened


def happened_to(touched: Touched, transition: Transition | None, growth: Iterable[int]) -> list[Happened]:
    """List what a batch did to an incident that is worth a notification.

    An incident that was opened or reopened is listed once: the notification of that also says how far
    the same batch made it grow, or how much more severe.
    """
    if transition is not None and transition.reason is TransitionReason.OPENED:
        return [Happened(NotificationReason.NEW)]
    if transition is not None and transition.reason is TransitionReason.REGRESSED:
        return [Happened(NotificationReason.REGRESSED)]
    if touched.status is Status.RESOLVED:
        return []
    happened = []
    if transition is not None and transition.reason is TransitionReason.MUTE_ENDED:
        happened.append(Happened(NotificationReason.UNMUTED, transition.event_id or ""))
    if touched.severity.rank > touched.severity_before.rank:
        happened.append(Happened(NotificationReason.SEVERITY_ROSE, touched.severity.value))
    passed = [number for number in growth if touched.count_before < number <= touched.count]
    if passed:
        happened.append(Happened(NotificationReason.GROWTH, str(max(passed))))
    return happened


def verdicts_on(rules: Iterable[Rule], happened: Iterable[Happened], facts: Facts) -> list[Verdict]:
    """List the rules that notify of what happened to an incident, each of the first thing that it matches."""
    verdicts = []
    changes = list(happened)
    for rule in rules:
        match = next((change for change in changes if _hears(rule, change.reason)), None)
        if match is not None and rule.where.match(facts):
            verdicts.append(Verdict(rule, match))
    return verdicts


def _hears(rule: Rule, reason: NotificationReason) -> bool:
    """Return True if the rule is on it; who hears of what came back also hears of what is muted no more."""
    return reason in rule.on or (
        reason is NotificationReason.UNMUTED and NotificationReason.REGRESSED in rule.on
    )


def scope_of(per: Per, facts: Facts, incident_id: int) -> str:
    """Return the scope of the window that an event counts in."""
    if per is Per.INCIDENT:
        return incident_name(incident_id)
    if per is Per.SERVICE:
        return facts.service
    return facts.category if per is Per.CATEGORY else ""


def _is_like(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
