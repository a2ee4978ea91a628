"""Numbers and times as people read them."""

from datetime import datetime
from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_STEP: Final = 1000
_AGES: Final = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (100 * 86_400, 86_400, "d"))
"""Up to how many seconds an age is told in a unit, the seconds of the unit, and its name."""


def spell_bytes(count: float) -> str:
    """A size in the largest unit of which there is one: ``1.2 GB``."""
    for unit in _UNITS[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == _UNITS[0] else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} {_UNITS[-1]}"


def spell_age(moment: datetime, now: datetime) -> str:
    """The time between a moment and now in one unit: ``3 min``, ``in 4 h``; a date where it is long ago."""
    seconds = (now - moment).total_seconds()
    for limit, size, unit in _AGES:
        if abs(seconds) < limit:
            age = f"{int(abs(seconds)) // size} {unit}"
            return age if seconds >= 0 else f"in {age}"
    return f"{moment:%Y-%m-%d}"
