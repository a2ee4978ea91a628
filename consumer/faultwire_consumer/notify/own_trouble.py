"""Trouble with notifications that faultwire reports of itself: kinds, and when one is late. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from faultwire_consumer.domain.notification import NotificationKind

OWN_SERVICE: Final = "faultwire"
"""The service of the worker's own events."""
URGENT_LATE: Final = timedelta(seconds=11)
"""Urgent notifications are promised within a second; ten more are a stall, and not one slow commit."""
GATHERED_LATE: Final = timedelta(seconds=90)
"""What is gathered is due after seven tenths of five minutes, and promised within the rest."""
DIGEST_LATE: Final = timedelta(hours=1)
AGAIN: Final = timedelta(hours=1)
"""Trouble that lasts is reported once in this time; all of it is one incident."""


class OwnTrouble(StrEnum):
    """A kind of trouble, by the code of its events."""

    DEADLINE_MISSED = "NOTIFICATION_LATE"
    """The first attempt to send a notification began too late."""
    RECEIVER_GAVE_UP = "NOTIFICATION_GIVEN_UP"
    """A receiver refused a notification, or did not take it for a whole day."""
    DISPATCHER_STALLED = "DISPATCHER_STALLED"
    """Notifications are due, and no dispatcher takes them."""


_CODES: Final = frozenset(trouble.value for trouble in OwnTrouble)


def is_own(service: str | None, code: str | None) -> bool:
    """Return True for an incident that reports such trouble: that it cannot be told is no further trouble."""
    return service == OWN_SERVICE and code in _CODES


def late_by(kind: NotificationKind, *, urgent: bool, due_at: datetime, now: datetime) -> timedelta | None:
    """Return how long after its due time a first attempt begins, if that breaks its promise; else None."""
    late = now - due_at
    patience = URGENT_LATE if urgent else GATHERED_LATE
    return late if late > (DIGEST_LATE if kind is NotificationKind.DIGEST else patience) else None
