"""Kinds of and reasons for notifications: the vocabulary of rules, outbox and senders."""

from enum import StrEnum
from typing import Final


class NotificationKind(StrEnum):
    """The form of a notification."""

    INCIDENT = "incident"
    """One incident on its own."""
    SUMMARY = "summary"
    """Several incidents in one, because they came together or too many came at once."""
    DIGEST = "digest"
    """A day's or a week's incidents, sent at a set hour."""
    TEST = "test"
    """A test of a receiver, about no incident."""


class NotificationReason(StrEnum):
    """The reason for a notification, and for each incident in it."""

    NEW = "new"
    """The incident's first event."""
    REGRESSED = "regressed"
    """An event occurred after the incident was resolved."""
    SEVERITY_ROSE = "severity_rose"
    """An event more severe than all before it."""
    GROWTH = "growth"
    """The count passed 10, 100, 1,000 and so on."""
    THRESHOLD = "threshold"
    """A window reached its rule's number of events, or of new incidents."""
    REMINDER = "reminder"
    """Still open, and not acknowledged."""
    UNMUTED = "unmuted"
    """Its mute ended by itself, and it goes on; for the rules that hear of regressions."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has it now; for receivers that were told of it and hear of that."""
    RESOLVED = "resolved"
    """It is over; for receivers that were told of it and hear of that."""
    ESCALATED = "escalated"
    """Nobody acknowledged it in the rule's time; for the receivers that come next."""
    CONTINUED = "continued"
    """More events of a known incident: only digests report it."""
    STORM = "storm"
    """More notifications for one receiver than are sent one by one."""
    SCHEDULED = "scheduled"
    """The hour of a digest came."""
    REQUESTED = "requested"
    """Somebody asked for a test."""


RECOVERIES: Final = frozenset((NotificationReason.ACKNOWLEDGED, NotificationReason.RESOLVED))
"""Reasons of recovery notices: who was told of an incident hears what became of it."""
