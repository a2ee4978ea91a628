"""The time of an event, by its own clock, and by ours where that one is ahead."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.gateway.sentry.event.shape import is_number

CLOCK_AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead before its events are moved by the distance."""
_CHARACTERS: Final = 64
_WRITTEN: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?\s?(?:[Zz]|(UTC|[+-]\d\d:?\d\d))?",
    re.ASCII,
)


class SentryMoment(Struct, frozen=True, kw_only=True):
    """A time in UTC, as it is stored and as it was told."""

    occurred_at: datetime
    told_at: datetime
    """By the sender's clock: the same whenever the event is sent, so the day in its id is of this one."""


def read_moment(given: Any, *, sent_at: datetime | None, received_at: datetime) -> SentryMoment:
    """Read a timestamp: RFC 3339, UTC where it names no zone, or seconds since 1970.

    Where there is none, or anything else, the event happened when it was sent, or else when it came: so
    Sentry reads texts of numbers, milliseconds and words. Days ago is an event that waited in a browser.
    """
    received = received_at.astimezone(UTC)
    sent = _utc(sent_at) if sent_at is not None else None
    told = _parse(given) or sent or received
    if sent is None or sent - received <= CLOCK_AHEAD:
        return SentryMoment(occurred_at=told, told_at=told)
    return SentryMoment(occurred_at=_moved(told, received - sent), told_at=told)


def write_moment(moment: datetime) -> str:
    """Return a time of UTC as RFC 3339 writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")


def parse_moment(given: Any) -> datetime | None:
    """Return a timestamp in UTC; None for what is none."""
    return _parse(given)


def _parse(given: Any) -> datetime | None:
    try:
        if isinstance(given, str):
            return _read(given)
        return datetime.fromtimestamp(given, UTC) if is_number(given) else None
    except (ValueError, OverflowError, OSError):
        return None


def _read(text: str) -> datetime | None:
    found = _WRITTEN.fullmatch(text.strip()) if len(text) <= _CHARACTERS else None
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "UTC") else zone
    at = datetime.fromisoformat(f"{day}T{minute}:00{offset}")
    micros = round(int(f"{fraction or 0:0<9}") / 1000)
    return (at + timedelta(seconds=min(int(second), 60), microseconds=micros)).astimezone(UTC)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def _moved(moment: datetime, distance: timedelta) -> datetime:
    try:
        return moment + distance
    except OverflowError:
        return moment
