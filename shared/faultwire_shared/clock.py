"""The time as an argument: what takes it is handed a clock, and a test hands over its own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time, aware and in UTC."""


def utc_now() -> datetime:
    """The system's time."""
    return datetime.now(UTC)
