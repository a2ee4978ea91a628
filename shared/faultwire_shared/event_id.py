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


def new_event_id(now: datetime) -> str:
    """Create an id with the day of ``now``, which must be in UTC."""
    # The source that `secrets` uses too, without its imports of hashes that the client does not need.
    bits = int.from_bytes(os.urandom(SUFFIX_CHARACTERS * 5 // 8))
    suffix = "".join([_PAIRS[(bits >> shift) & 1023] for shift in range(0, SUFFIX_CHARACTERS * 5, 10)])
    return f"error_{now.year:04d}{now.month:02d}{now.day:02d}_{suffix}"


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
