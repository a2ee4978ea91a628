"""Times as strangers write them, turned into times that every database keeps and gives back."""

from datetime import UTC, datetime, timedelta
from typing import Final

CLOCK_AHEAD: Final = timedelta(minutes=5)
"""Limit on how far a producer's clock may be ahead."""
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""What is older was never set: the zero of Go's and .NET's times is in year 1, that of Unix in 1970. Year 1's
first moment is also what asyncpg takes for PostgreSQL's ``-infinity``."""


def storable_time(moment: datetime, *, received_at: datetime) -> datetime:
    """Return a time of the wire in UTC; the time of its arrival where it cannot be true.

    The body keeps the original.
    """
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:  # outside the calendar in UTC, as the first hours of year 1 in Asia are
        return received_at
    return utc if EARLIEST <= utc <= received_at + CLOCK_AHEAD else received_at


def was_never_set(moment: datetime) -> bool:
    """Tell a language's zero from a time."""
    return moment.year < EARLIEST.year
