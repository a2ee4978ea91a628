"""Notifications in words: why there is one, what became of it and when, and what its stages decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.sending import NotificationState, StageReason
from faultwire_consumer.store.outbox.queries import StoredNotification

REASONS: Final[Mapping[NotificationReason, str]] = {
    NotificationReason.NEW: "new",
    NotificationReason.REGRESSED: "came back",
    NotificationReason.SEVERITY_ROSE: "severity rose",
    NotificationReason.GROWTH: "growth",
    NotificationReason.THRESHOLD: "threshold reached",
    NotificationReason.REMINDER: "reminder, nobody has it",
    NotificationReason.UNMUTED: "its mute ended",
    NotificationReason.ACKNOWLEDGED: "somebody has it",
    NotificationReason.RESOLVED: "it is over",
    NotificationReason.ESCALATED: "nobody acknowledged it in time",
    NotificationReason.CONTINUED: "goes on",
    NotificationReason.STORM: "too many to be told one by one",
    NotificationReason.SCHEDULED: "the hour of the digest",
    NotificationReason.RESOLVED: "resolved",
    NotificationReason.ACKNOWLEDGED: "acknowledged",
    NotificationReason.REQUESTED: "somebody asked for a test",
}

STAGE_REASONS: Final[Mapping[StageReason, str]] = {
    StageReason.CLEAR: "nothing speaks against it",
    StageReason.RESOLVED: "its incident was resolved meanwhile",
    StageReason.ACKNOWLEDGED: "somebody had acknowledged its incident",
    StageReason.MUTED: "its incident is muted",
    StageReason.SILENCED: "a silence hides it",
    StageReason.INHIBITED: "an open incident explains it",
    StageReason.REOPENED: "its incident is open again",
    StageReason.UNTOLD: "what it follows was not told",
    StageReason.RESENT: "somebody had it sent again",
    StageReason.MERGED: "its incident was merged into another",
    StageReason.OVERTAKEN: "its incident came back since, which is told by itself",
    StageReason.THROTTLED: "its receiver has had its ten in a minute",
    StageReason.QUIET_HOURS: "its receiver has quiet hours",
    StageReason.GROUPED: "it came together with others",
    StageReason.GROWING: "its receiver was told of the incident within the minute; it goes with what follows",
    StageReason.RECEIVER_UNKNOWN: "the policy has no receiver of that name any more",
    StageReason.REFUSED: "the receiver refused it",
    StageReason.EXPIRED: "the receiver did not take it for a whole day",
    StageReason.UNREADABLE: "the worker could not read or write it",
}


class StateWords(Struct, frozen=True, kw_only=True):
    """The state of a notification: a text, the time that ends it where there is one, and the reason."""

    tone: str
    text: str
    at: datetime | None = None
    why: str = ""


def reason_words(reason: str) -> str:
    """Return why there is a notification; a word of a later version as it is."""
    try:
        return REASONS[NotificationReason(reason)]
    except ValueError:
        return reason.replace("_", " ")


def stage_words(reason: str | None) -> str:
    """Return why a stage decided as it did; empty without a reason."""
    try:
        return STAGE_REASONS[StageReason(reason)] if reason else ""
    except ValueError:
        return str(reason).replace("_", " ")


def state_words(alert: StoredNotification, *, failure: str, now: datetime) -> StateWords:
    """Return what became of a notification.

    Args:
        alert: the notification.
        failure: what the last attempt failed with; empty where that is not known.
        now: the time.
    """
    why = stage_words(alert.state_reason)
    match alert.state:
        case NotificationState.WAITING:
            return _waiting(alert, why, now)
        case NotificationState.CARRIED:
            return StateWords(tone="soft", text="goes out with others", why=why)
        case NotificationState.SENT:
            text = "sent with others" if alert.carrier_id is not None else "sent"
            return StateWords(tone="ok", text=text, at=alert.finished_at)
        case NotificationState.STOPPED:
            return StateWords(tone="soft", text="stopped", at=alert.finished_at, why=why)
        case NotificationState.GIVEN_UP:
            told = ": ".join(word for word in (why, failure) if word)
            return StateWords(tone="no", text="given up", at=alert.finished_at, why=told)


def _waiting(alert: StoredNotification, why: str, now: datetime) -> StateWords:
    if alert.due_at <= now:
        return StateWords(tone="soft", text="waiting, goes out now", why=why)
    text = "waiting, goes out at" if not alert.attempts else "waiting, is tried again at"
    return StateWords(tone="soft", text=text, at=alert.due_at, why=why)
