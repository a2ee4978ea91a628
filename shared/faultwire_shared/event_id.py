"""An event's id: ``error_YYYYMMDD_`` and a random suffix, the same from the user's screen to the store."""

import os
import re
from datetime import date, datetime
from typing import Final

SUFFIX_CHARACTERS: Final = 16
"""80 random bits: two equal ids in a day are not to be expected below 10^11 events."""

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
# Two characters for ten bits at once, and no strftime: an id is minted on a caller's hot path.
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PATTERN: Final = re.compile(r"error_(\d{4})(\d{2})(\d{2})_[a-z0-9]{6,32}", re.ASCII)


def new_event_id(now: datetime) -> str:
    """Mint an id whose day is ``now``'s, which must be in UTC."""
    # What `secrets` would ask too, without its imports of hashes that the client has no use for.
    bits = int.from_bytes(os.urandom(SUFFIX_CHARACTERS * 5 // 8))
    suffix = "".join([_PAIRS[(bits >> shift) & 1023] for shift in range(0, SUFFIX_CHARACTERS * 5, 10)])
    return f"error_{now.year:04d}{now.month:02d}{now.day:02d}_{suffix}"


def day_of(event_id: str) -> date:
    """The day in an event's id, which decides its partition.

    Raises:
        ValueError: the text is no event id, or its day is none in the calendar.
    """
    match = _PATTERN.fullmatch(event_id)
    if match is None:
        raise ValueError("an event id is error_YYYYMMDD_ and 6 to 32 of a-z0-9")
    year, month, day = match.groups()
    return date(int(year), int(month), int(day))
