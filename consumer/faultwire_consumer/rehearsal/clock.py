"""A clock that goes where the rehearsed time is, and never back."""

from datetime import datetime


class RehearsedClock:
    """Call it for the rehearsed time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the rehearsed time."""
        return self.now

    def move_to(self, moment: datetime) -> None:
        """Go on to a moment; one that is past leaves the time as it is."""
        self.now = max(self.now, moment)
