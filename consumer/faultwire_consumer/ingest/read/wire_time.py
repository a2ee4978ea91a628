"""Times as strangers write them, turned into times that every database keeps and gives back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from faultwire_shared.json_text import UNREADABLE

CLOCK_AHEAD: Final = timedelta(minutes=5)
"""Limit on how far a producer's clock may be ahead."""
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""What is older was never set: the zero of Go's and .NET's times is in year 1, that of Unix in 1970. Year 1's
first moment is also what asyncpg takes for PostgreSQL's ``-infinity``."""
_TIMES: Final = ("occurred_at", "first_at", "last_at", "started_at")
_LEAP: Final = re.compile(rb'"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)60((?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d))"')
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def storable_time(moment: datetime, *, received_at: datetime) -> datetime:
    """Return a time of the wire in UTC; the time of its arrival where it cannot be true.

    The body keeps the original.
    """
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:  # outside the calendar in UTC, as the first hours of year 1 in Asia are
        return received_at
    return utc if EARLIEST <= utc <= received_at + CLOCK_AHEAD else received_at


def was_never_set(moment: datetime) -> bool:
    """Tell a language's zero from a time."""
    return moment.year < EARLIEST.year


def without_leap_seconds(body: bytes) -> bytes:
    """Write second 60 of an event's or report's own times as the next minute's first.

    RFC 3339 allows a leap second, and a clock that rounds its seconds makes one at any time;
    neither Python's calendar nor a database has it. What holds none, or is no object, is returned as it is.
    """
    if b":60" not in body:
        return body
    try:
        fields = _fields.decode(body)
    except UNREADABLE:
        return body
    later = {name: raw for name in _TIMES if name in fields and (raw := _next_second(bytes(fields[name])))}
    return msgspec.json.encode(fields | later) if later else body


def _next_second(moment: bytes) -> msgspec.Raw | None:
    """Return a JSON string with a time, a second after its 59th; None if it is none with a leap second."""
    found = _LEAP.fullmatch(moment.strip())
    if found is None:
        return None
    try:
        time = msgspec.json.decode(b'"%b59%b"' % found.groups(), type=datetime)
        return msgspec.Raw(msgspec.json.encode(time + timedelta(seconds=1)))
    except (*UNREADABLE, OverflowError):  # no such day, or the calendar's last one
        return None
