"""Why somebody is told of an incident, and in which form: the words of rules, outbox and senders."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """The form of a notification."""

    INCIDENT = "incident"
    """One incident, told by itself."""
    SUMMARY = "summary"
    """Several incidents in one, because they came together or too many came at once."""
    DIGEST = "digest"
    """What a day or a week brought, sent at its hour."""


class NotificationReason(StrEnum):
    """What happened that is worth telling, of a notification and of each incident in it."""

    NEW = "new"
    """The incident's first event."""
    REGRESSED = "regressed"
    """An event occurred after the incident was resolved."""
    SEVERITY_ROSE = "severity_rose"
    """An event more severe than all before it."""
    GROWTH = "growth"
    """The count passed 10, 100, 1,000 and so on."""
    THRESHOLD = "threshold"
    """A rule's number of events, or of new incidents, in its window."""
    REMINDER = "reminder"
    """Still open, and nobody acknowledged it."""
    CONTINUED = "continued"
    """More events of a known incident: a digest tells of it, nothing else does."""
    STORM = "storm"
    """More notifications for one receiver than it is sent one by one."""
    SCHEDULED = "scheduled"
    """The hour of a digest came."""
