"""Windows as people write them: ``mon-fri 22:00-06:00 Europe/Berlin``. Pure."""

from collections.abc import Sequence
from typing import Final

from faultwire_consumer.domain.silence.weekly import WEEK, Weekday, WeeklyWindow, is_clock
from faultwire_consumer.domain.silence.zone import ZONES

_DAILY: Final = "daily"
_FORM: Final = "days, times and a zone, as in mon-fri 22:00-06:00 Europe/Berlin, or daily 01:00-02:00"
_BEGINNING: Final = 3


def parse_window(text: str) -> WeeklyWindow:
    """Read a window: days, a span of the clock, and a zone, which is UTC if none is named.

    Raises:
        ValueError: it cannot be read; the text says which part, and how it is written.
    """
    words = text.split()
    if not 2 <= len(words) <= 3:
        raise ValueError(_FORM)
    days, span, *zone = words
    start, _, end = span.partition("-")
    if not (is_clock(start) and is_clock(end)):
        raise ValueError(f"{span[:20]} is not a span of the clock, as 22:00-06:00")
    if zone and zone[0] not in ZONES:
        raise ValueError(f"{zone[0][:40]} is not a zone of the IANA database, as Europe/Berlin")
    return WeeklyWindow(weekdays=_days(days), start=start, end=end, zone=zone[0] if zone else "UTC")


def _days(text: str) -> tuple[Weekday, ...]:
    if text.lower() == _DAILY:
        return ()
    found: list[Weekday] = []
    for part in text.split(","):
        first, is_range, last = part.partition("-")
        found += _range(_day(first), _day(last)) if is_range else [_day(first)]
    return tuple(sorted(set(found), key=WEEK.index))


def _range(first: Weekday, last: Weekday) -> Sequence[Weekday]:
    begin, length = WEEK.index(first), (WEEK.index(last) - WEEK.index(first)) % len(WEEK) + 1
    return [WEEK[(begin + place) % len(WEEK)] for place in range(length)]


def _day(text: str) -> Weekday:
    word = text.strip().lower()
    for day in WEEK:
        if len(word) >= _BEGINNING and day.value.startswith(word):
            return day
    raise ValueError(f"{text[:20]!r} is not a day, as mon, or days, as mon-fri or sat,sun; or daily")
