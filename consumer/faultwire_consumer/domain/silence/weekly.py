"""Windows that recur every week, by the clock on the wall of a zone. Pure.

A window covers a moment whenever the clock there shows a time of it. So a day on which the clocks are put
forward may have less of a window, or nothing, and a day on which an hour comes twice has that hour twice.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.silence.zone import ZONES

_DAY: Final = timedelta(days=1)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_AHEAD: Final = 8
"""Days in which every window of a week begins and ends."""


class Weekday(StrEnum):
    """A day of the week, in the week's order."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEK: Final = tuple(Weekday)


class WeeklyWindow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A span of the clock on some days of the week."""

    weekdays: tuple[Weekday, ...] = ()
    """The days on which it begins; none: every day."""
    start: str
    """The first minute, as ``22:00``."""
    end: str
    """The minute before which it ends; one that is not after the start is of the next day."""
    zone: str = "UTC"
    """Name of a zone of the IANA database."""


def is_clock(text: str) -> bool:
    """Return whether a text is a time of the clock, from 00:00 to 23:59."""
    return _CLOCK.fullmatch(text) is not None


def covers(window: WeeklyWindow, moment: datetime) -> bool:
    """Return whether the clock of the window's zone shows a time of the window at a moment."""
    local = moment.astimezone(ZONES[window.zone])
    start, end, shown = _minutes(window.start), _minutes(window.end), local.hour * 60 + local.minute
    today, yesterday = _begins_on(window, local.date()), _begins_on(window, local.date() - _DAY)
    if start < end:
        return today and start <= shown < end
    return (today and shown >= start) or (yesterday and shown < end)


def next_change(windows: Sequence[WeeklyWindow], moment: datetime) -> datetime | None:
    """Return when some window begins to cover what none did, or none covers what one did.

    None if that does not happen within eight days: the windows cover the whole week.
    """
    is_covered = any(covers(one, moment) for one in windows)
    bounds = sorted({bound for one in windows for bound in _bounds(one, moment) if bound > moment})
    return next((at for at in bounds if any(covers(one, at) for one in windows) != is_covered), None)


def covered_until(windows: Sequence[WeeklyWindow], moment: datetime) -> datetime | None:
    """Return when the windows that cover a moment end, and those that follow at once; None if none does."""
    if not any(covers(one, moment) for one in windows):
        return None
    return next_change(windows, moment) or moment + _DAY


def describe_window(window: WeeklyWindow) -> str:
    """Say when a window is, as ``Mon, Tue 22:00 to 06:00 Europe/Berlin``."""
    days = sorted(set(window.weekdays), key=WEEK.index)
    named = ", ".join(day.value[:3].title() for day in days) if 0 < len(days) < len(WEEK) else "every day"
    span = "all day" if window.start == window.end == "00:00" else f"{window.start} to {window.end}"
    return f"{named} {span} {window.zone}"


def _begins_on(window: WeeklyWindow, day: date) -> bool:
    return not window.weekdays or WEEK[day.weekday()] in window.weekdays


def _bounds(window: WeeklyWindow, moment: datetime) -> Iterator[datetime]:
    """Yield every moment around at which the window may begin or end: its times, and changes of the clock."""
    zone = ZONES[window.zone]
    first = moment.astimezone(zone).date() - _DAY
    for day in (first + _DAY * ahead for ahead in range(_AHEAD + 2)):
        for minutes in (_minutes(window.start), _minutes(window.end)):
            local = datetime.combine(day, time(minutes // 60, minutes % 60), zone)
            yield local.astimezone(UTC)
            yield local.replace(fold=1).astimezone(UTC)
        yield from _shift(day, window.zone)


def _shift(day: date, zone: str) -> Iterator[datetime]:
    """Yield when a zone's clocks are put forward or back on a day; nothing on nearly every day."""
    local = datetime.combine(day, time(), ZONES[zone])
    low, high = local.astimezone(UTC), (local + _DAY).astimezone(UTC)
    before = low.astimezone(ZONES[zone]).utcoffset()
    if high.astimezone(ZONES[zone]).utcoffset() == before:
        return
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) // 2
        middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
        is_before = middle.astimezone(ZONES[zone]).utcoffset() == before
        low, high = (middle, high) if is_before else (low, middle)
    yield high


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
