"""The time as an argument: code that needs it is given a clock, and a test passes its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from faultwire_shared.foreign.interruption import pass_interruption

Clock = Callable[[], datetime]
"""Returns the time, aware and in UTC."""


def utc_now() -> datetime:
    """Return the system's time."""
    return datetime.now(UTC)


# In a tuple, where no library that replaces the clock for a test looks for it.
_EXACT: Final = (datetime,)
# A subtraction takes a quarter of the time of `replace`, on each caller's path.
_RESTS: Final = tuple(timedelta(microseconds=rest) for rest in range(1000))


def exact_utc(at: datetime) -> datetime:
    """Return the time in UTC and milliseconds, as it travels: of that very class, whatever a clock gives.

    Libraries that stop the clock, and those with calendars of their own, give subclasses, which nothing
    encodes. A time without a zone is UTC, as a clock's has to be.
    """
    if type(at) is _EXACT[0] and at.tzinfo is UTC:
        return at - _RESTS[at.microsecond % 1000]
    milliseconds = at.microsecond // 1000 * 1000
    given = at.year, at.month, at.day, at.hour, at.minute, at.second, milliseconds
    return _EXACT[0](*given, tzinfo=at.tzinfo or UTC, fold=at.fold).astimezone(UTC)


def read_clock(clock: Clock) -> datetime:
    """Return a clock's time as ``exact_utc`` does, and the system's where the clock fails."""
    try:
        at = clock()
        if type(at) is _EXACT[0] and at.tzinfo is UTC:
            return at - _RESTS[at.microsecond % 1000]
        return exact_utc(at)
    except BaseException as error:  # noqa: BLE001 - a host's clock may raise anything, and errors are still told
        pass_interruption(error)
        return exact_utc(utc_now())
