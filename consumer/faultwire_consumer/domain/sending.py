"""States of a notification in the outbox, and the time of the next attempt after a failure. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

BACKOFF_FIRST_SECONDS: Final = 1.0
BACKOFF_SECONDS_MAX: Final = 900.0
ASKED_SECONDS_MAX: Final = 3600.0
"""The longest wait that a receiver can ask for: one that asks for a day is tried again within the day."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""Time after its first attempt at which a notification is given up."""


class NotificationState(StrEnum):
    """State of a notification."""

    WAITING = "waiting"
    CARRIED = "carried"
    """Grouped into another notification that is not sent yet."""
    SENT = "sent"
    STOPPED = "stopped"
    """A stage found that it is no longer needed."""
    GIVEN_UP = "given_up"


class StageDecision(StrEnum):
    """A stage's decision on a notification."""

    PASSED = "passed"
    HELD = "held"
    CARRIED = "carried"
    STOPPED = "stopped"
    GIVEN_UP = "given_up"
    RESENT = "resent"
    """Not a stage's: an operator had it sent again."""


class StageReason(StrEnum):
    """The reason for a stage's decision."""

    CLEAR = "clear"
    """Nothing speaks against it."""
    RESOLVED = "resolved"
    """Its incident was resolved meanwhile."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody is already working on its incident."""
    MUTED = "muted"
    """Its incident is muted."""
    SILENCED = "silenced"
    """A silence hides it; the detail says which."""
    INHIBITED = "inhibited"
    """An open incident explains it; the detail says which."""
    REOPENED = "reopened"
    """Its incident is open again, so there is no recovery to tell of."""
    UNTOLD = "untold"
    """What it follows has not been told: yet, if it is held; at all, if it is stopped."""
    RESENT = "resent"
    """An operator had it sent again; the detail says who."""
    MERGED = "merged"
    """Its incident was merged into another one, which has notifications of its own."""
    OVERTAKEN = "overtaken"
    """Its incident is in a later episode, which has a notification of its own."""
    THROTTLED = "throttled"
    """The receiver has had its ten in a minute; this one goes into the next summary."""
    QUIET_HOURS = "quiet_hours"
    """Its receiver has quiet hours; when they end, what they held back goes out together."""
    GROUPED = "grouped"
    """It came together with others of its rule."""
    GROWING = "growing"
    """The receiver was told of its incident within the minute: it is told then, with what follows."""
    RECEIVER_UNKNOWN = "receiver_unknown"
    """The policy no longer has a receiver of that name."""
    REFUSED = "refused"
    """The receiver will never accept it."""
    EXPIRED = "expired"
    """The receiver did not accept it for a whole day."""
    UNREADABLE = "unreadable"
    """The worker cannot read or write what it tells."""


RESENT: Final = "resent"
"""In the place of a stage's name, in the trace of what an operator had sent again."""
_RESENT_FROM: Final = (NotificationState.SENT, NotificationState.GIVEN_UP, NotificationState.STOPPED)


def resend_refused(state: NotificationState, *, carrier_id: int | None, has_receiver: bool) -> str | None:
    """Return why a notification cannot be sent again; None if it can.

    Args:
        state: of the notification.
        carrier_id: the notification that it is grouped into.
        has_receiver: the policy in use has its receiver.
    """
    if state not in _RESENT_FROM:
        return f"it is {state.value}, and will be sent without that"
    if carrier_id is not None:
        return f"it was told in notification {carrier_id}; send that one again"
    return None if has_receiver else "the policy in use has no receiver of that name any more"


class RetryAt(Struct, frozen=True):
    """The time of the next attempt."""

    due_at: datetime


def after_failure(
    *,
    attempts: int,
    first_at: datetime,
    now: datetime,
    after_seconds: float | None,
    chance: float,
) -> RetryAt | StageReason:
    """Decide when to try again after a failure; a reason if there is no further attempt.

    The wait doubles from 1 s to 15 min, half of it random, and is never shorter than the receiver
    asked for, up to an hour.

    Args:
        attempts: number of attempts made.
        first_at: time of the first.
        now: end of the last.
        after_seconds: the wait that the receiver asked for.
        chance: from 0 to 1, drawn anew for each, so that what failed together is spread out.
    """
    bound = min(BACKOFF_SECONDS_MAX, BACKOFF_FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    wait = max(bound * (1 + chance) / 2, min(after_seconds or 0.0, ASKED_SECONDS_MAX))
    due_at = now + timedelta(seconds=wait)
    return StageReason.EXPIRED if due_at > first_at + GIVE_UP_AFTER else RetryAt(due_at)
