"""What becomes of a notification in the outbox, and when one that failed is tried again. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

BACKOFF_FIRST_SECONDS: Final = 1.0
BACKOFF_MOST_SECONDS: Final = 900.0
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""So long after its first attempt a notification is tried no more."""


class NotificationState(StrEnum):
    """Where a notification stands."""

    WAITING = "waiting"
    CARRIED = "carried"
    """Another one tells it too, and is not sent yet."""
    SENT = "sent"
    STOPPED = "stopped"
    """A stage found that nobody has to be told any more."""
    GIVEN_UP = "given_up"


class StageDecision(StrEnum):
    """What a stage says of a notification."""

    PASSED = "passed"
    HELD = "held"
    CARRIED = "carried"
    STOPPED = "stopped"
    GIVEN_UP = "given_up"


class StageReason(StrEnum):
    """Why a stage decided so."""

    CLEAR = "clear"
    """Nothing speaks against it."""
    RESOLVED = "resolved"
    """Its incident was resolved meanwhile."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody looks after its incident already."""
    OVERTAKEN = "overtaken"
    """Its incident is in a later episode, which is told by itself."""
    THROTTLED = "throttled"
    """The receiver had its ten in a minute; it is told in the next summary."""
    GROUPED = "grouped"
    """It came together with others of its rule."""
    RECEIVER_UNKNOWN = "receiver_unknown"
    """The policy has no receiver of that name any more."""
    REFUSED = "refused"
    """The receiver will never take it."""
    EXPIRED = "expired"
    """The receiver did not take it for a whole day."""


class RetryAt(Struct, frozen=True):
    """Try again then."""

    due_at: datetime


def after_failure(
    *,
    attempts: int,
    first_at: datetime,
    now: datetime,
    after_seconds: float | None,
    chance: float,
) -> RetryAt | StageReason:
    """When to try again what failed for now; a reason where it is not tried any more.

    The wait doubles from 1 s to 15 min, half of it by chance, and is never shorter than what the
    receiver asked for.

    Args:
        attempts: how many were made.
        first_at: when the first was.
        now: when the last ended.
        after_seconds: the receiver's own wish.
        chance: from 0 to 1, drawn anew for each, so that what failed together comes apart.
    """
    bound = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    wait = max(bound * (1 + chance) / 2, after_seconds or 0.0)
    due_at = now + timedelta(seconds=min(wait, GIVE_UP_AFTER.total_seconds()))
    return StageReason.EXPIRED if due_at > first_at + GIVE_UP_AFTER else RetryAt(due_at)
