"""An event's id: the same for the same event, however often and whenever it is sent."""

import re
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

_HEX: Final = re.compile(r"[0-9a-f]{32}")
_NIL: Final = "0" * 32


def read_id(*candidates: Any) -> str | None:
    """Return the first that is an id: 32 hex digits, in small letters and without hyphens; None without one.

    The nil id is none: a client that always sends it would have all of its events taken for one.
    """
    for given in candidates:
        text = given.strip().replace("-", "").lower() if isinstance(given, str) and len(given) < 64 else ""
        if _HEX.fullmatch(text) and text != _NIL:
            return text
    return None


def id_of_content(*parts: bytes) -> str:
    """Make an id for an event without one: the same bytes are the same event."""
    return sha256(b"\0".join(parts)).hexdigest()[:32]


def event_id(told_at: datetime, digits: str) -> str:
    """Return the id under which an event is stored; its day is that of the event, never of its arrival."""
    return f"error_{told_at.year:04d}{told_at.month:02d}{told_at.day:02d}_{digits}"
