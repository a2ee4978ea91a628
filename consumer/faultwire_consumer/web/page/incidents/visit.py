"""Visits of a reader: since when what began is new to them, by a cookie that their browser keeps."""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

VISIT_COOKIE: Final = "faultwire_visit"
SECONDS: Final = 90 * 86400
GAP: Final = timedelta(minutes=30)
"""The time without a look after which a look begins another visit."""
_KEPT_FOR: Final = timedelta(minutes=1)
"""A look so soon after another is the same one: most answers set no cookie."""
_BETWEEN: Final = "-"


class Visit(Struct, frozen=True):
    """A visit: the last look that belongs to it, and the last one of the visit before."""

    looked_at: datetime
    since: datetime | None = None
    """None at the first visit."""


def look(visit: Visit | None, now: datetime) -> Visit:
    """Return the visit to which a look at the list belongs; only a new one moves what counts as new."""
    if visit is None or visit.looked_at > now:
        return Visit(now)
    if now - visit.looked_at > GAP:
        return Visit(now, visit.looked_at)
    return visit if now - visit.looked_at < _KEPT_FOR else Visit(now, visit.since)


def read_visit(cookie: str) -> Visit | None:
    """Return the visit of a cookie; None where it is not one of ours."""
    looked_at, _, since = cookie.partition(_BETWEEN)
    moment = _moment(looked_at)
    return Visit(moment, _moment(since)) if moment is not None else None


def write_visit(visit: Visit) -> str:
    """Return the cookie that keeps a visit: its two times as seconds since 1970."""
    moments = (visit.looked_at, visit.since)
    return _BETWEEN.join(str(int(one.timestamp())) if one is not None else "" for one in moments)


def _moment(text: str) -> datetime | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= 11
    return datetime.fromtimestamp(int(text), UTC) if is_number else None
