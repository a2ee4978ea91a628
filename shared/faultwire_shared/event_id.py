"""An event's id: ``error_YYYYMMDD_`` and a random suffix, the same from the user's screen to the store."""

import os
import re
from datetime import date, datetime
from functools import lru_cache
from typing import Final

SUFFIX_CHARACTERS: Final = 16
"""80 random bits: two equal ids in a day are not expected below 10^11 events."""

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
# Two characters for ten bits at once, and no strftime: an id is minted on a caller's hot path.
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PATTERN: Final = re.compile(r"error_\d{8}_[a-z0-9]{6,32}", re.ASCII)
_DIGITS: Final = slice(6, 14)
_ID_BYTES: Final = SUFFIX_CHARACTERS * 5 // 8
_AT_ONCE: Final = 32
_random: Final[list[int]] = []

# A child must not give out its parent's ids.
os.register_at_fork(after_in_child=_random.clear)


def new_event_id(now: datetime) -> str:
    """Create an id with the day of ``now``, which must be in UTC."""
    try:
        bits = _random.pop()
    except IndexError:
        bits = _draw()
    pairs = _PAIRS
    return (
        f"error_{now.year:04d}{now.month:02d}{now.day:02d}_"
        f"{pairs[bits & 1023]}{pairs[bits >> 10 & 1023]}{pairs[bits >> 20 & 1023]}{pairs[bits >> 30 & 1023]}"
        f"{pairs[bits >> 40 & 1023]}{pairs[bits >> 50 & 1023]}{pairs[bits >> 60 & 1023]}{pairs[bits >> 70]}"
    )


def _draw() -> int:
    """Draw bits for some more ids at once: each system call gives Python's lock away, in a caller's midst."""
    # The source that `secrets` uses too, without its imports of hashes that the client does not need.
    drawn = os.urandom(_ID_BYTES * (_AT_ONCE + 1))
    bits = [int.from_bytes(drawn[at : at + _ID_BYTES]) for at in range(0, len(drawn), _ID_BYTES)]
    first = bits.pop()
    _random.extend(bits)
    return first


# A worker asks for an event's day two or three times in a row.
@lru_cache(maxsize=16)
def day_of(event_id: str) -> date:
    """Return the day in an event's id, which decides its partition.

    Raises:
        ValueError: the text is not an event id, or its day is not in the calendar.
    """
    if _PATTERN.fullmatch(event_id) is None:
        raise ValueError("an event id is error_YYYYMMDD_ and 6 to 32 of a-z0-9")
    return _calendar_day(event_id[_DIGITS])


# Nearly always the same day.
@lru_cache(maxsize=256)
def _calendar_day(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
