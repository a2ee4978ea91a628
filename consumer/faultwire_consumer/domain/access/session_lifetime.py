"""The lifetime of a browser's session, and of links that are used once."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

SESSION_IDLE: Final = timedelta(days=7)
SESSION_MOST: Final = timedelta(days=30)
SESSION_TOUCH: Final = timedelta(minutes=15)
"""A sighting is written down when the one before is this old: a page's requests need no write each."""
INVITATION_LIFE: Final = timedelta(hours=24)
PROVIDER_LIFE: Final = timedelta(minutes=10)
"""For a sign-in at a provider, from its start to its return."""


class SessionVerdict(StrEnum):
    """The decision on a session at a moment."""

    LIVE = "live"
    TOUCH = "touch"
    """Live, and its sighting is to be written down."""
    IDLE = "idle"
    OVER = "over"

    @property
    def is_live(self) -> bool:
        """Return whether it still stands for its account."""
        return self in (SessionVerdict.LIVE, SessionVerdict.TOUCH)


def judge_session(*, seen_at: datetime, expires_at: datetime, now: datetime) -> SessionVerdict:
    """Decide whether a session still stands for its account.

    Args:
        seen_at: when it was used last, as far as that was written down.
        expires_at: its end, however much it is used.
        now: the time.
    """
    if now >= expires_at:
        return SessionVerdict.OVER
    if now - seen_at >= SESSION_IDLE:
        return SessionVerdict.IDLE
    return SessionVerdict.TOUCH if now - seen_at >= SESSION_TOUCH else SessionVerdict.LIVE
