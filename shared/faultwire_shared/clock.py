"""The time as an argument: code that needs it is given a clock, and a test passes its own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time, aware and in UTC."""


def utc_now() -> datetime:
    """Return the system's time."""
    return datetime.now(UTC)
