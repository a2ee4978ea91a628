"""Terms of an incident: what ends its mute or acknowledgement, what a resolve holds for, its issue."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60}


class ResolutionBound(StrEnum):
    """The side of its release on which a resolve holds no longer."""

    FROM = "from"
    """Resolved in that release: it, and what is newer, regresses."""
    AFTER = "after"
    """Resolved in the next one: only what is newer regresses."""


class Mute(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mute; without an end it is one for ever."""

    at: datetime
    until: datetime | None = None
    count: int | None = None
    """How many more events end it."""
    count_from: int = 0
    """The incident's count when it was muted."""
    within_seconds: int | None = None
    """The time within which so many events end it; None: however long they take."""
    next_release: bool = False
    after_release: str | None = None
    """The newest release when it was muted, where a newer one ends it; None: any that is named."""
    reason: str = ""
    """The operator's reason; one for ever has one."""


class Resolution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The bounds of a resolve; without a release it covers everything that occurred before it."""

    release: str | None = None
    bound: ResolutionBound = ResolutionBound.FROM
    environment: str | None = None
    """The only environment whose events may regress; None: any."""


class Terms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that an incident's present status and mute are bound to, and the link that outlives them."""

    acknowledged_until: datetime | None = None
    mute: Mute | None = None
    resolution: Resolution | None = None
    link: str | None = None
    """The address of its issue in a tracker."""


NO_TERMS: Final = Terms()

_decoder: Final = msgspec.json.Decoder(Terms)


def encode_terms(terms: Terms) -> str | None:
    """Return terms as the store keeps them: nothing for none."""
    return None if terms == NO_TERMS else msgspec.json.encode(terms).decode()


def read_terms(text: str | None) -> Terms:
    """Return the terms that the store keeps as a text."""
    return NO_TERMS if text is None else _decoder.decode(text)


def is_over(mute: Mute, at: datetime) -> bool:
    """Return True if a mute's time was over at a moment."""
    return mute.until is not None and at >= mute.until


def describe_mute(mute: Mute) -> str:
    """Say until when an incident is muted, after the word *muted*."""
    if mute.until is not None:
        return f"until {_moment(mute.until)}"
    if mute.count is not None:
        window = f" within {spell_seconds(mute.within_seconds)}" if mute.within_seconds else ""
        return f"until {mute.count:,} more{window}"
    if mute.next_release:
        return f"until a release after {mute.after_release}" if mute.after_release else "until a release"
    return "for ever"


def describe_resolution(resolution: Resolution) -> str:
    """Say what an incident is resolved in, after the word *resolved*; empty where it is bound to nothing."""
    where = f" in {resolution.environment}" if resolution.environment else ""
    if resolution.release is None:
        return where.strip()
    release = f"{'after' if resolution.bound is ResolutionBound.AFTER else 'in release'} {resolution.release}"
    return f"{release}{where}"


def spell_seconds(seconds: int) -> str:
    """Write a duration in the largest unit that divides it: ``2h``."""
    for unit, size in _SECONDS.items():
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _moment(moment: datetime) -> str:
    return (moment - timedelta(microseconds=moment.microsecond)).strftime("%Y-%m-%d %H:%M:%SZ")
