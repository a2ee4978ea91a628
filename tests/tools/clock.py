"""A clock that stands still until it is told to move."""

from datetime import UTC, datetime, timedelta

_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FixedClock:
    """Call it for the time in UTC, or ``monotonic()`` for seconds; ``advance`` moves both."""

    def __init__(self, now: datetime = _NOON) -> None:
        self.now = now
        self._started_at = now

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - self._started_at).total_seconds()

    def advance(self, by: timedelta | float) -> datetime:
        """Move on by a duration or by seconds; returns the new time."""
        self.now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self.now
