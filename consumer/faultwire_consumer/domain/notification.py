"""Kinds of and reasons for notifications: the vocabulary of rules, outbox and senders."""

from enum import StrEnum


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
    CONTINUED = "continued"
    """More events of a known incident: only digests report it."""
    STORM = "storm"
    """More notifications for one receiver than are sent one by one."""
    SCHEDULED = "scheduled"
    """The hour of a digest came."""
    RESOLVED = "resolved"
    """The incident was resolved; for receivers that asked to hear of it."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody took the incident on; for receivers that asked to hear of it."""
    REQUESTED = "requested"
    """Somebody asked for a test."""
