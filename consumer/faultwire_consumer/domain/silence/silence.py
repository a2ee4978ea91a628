"""Silences: notifications that nobody is to get for a time, by matchers. Pure.

A silence is judged when a notification would go out, so what still waits when it ends is sent.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from faultwire_consumer.domain.rules import Conditions, Facts
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, covers, next_change
from faultwire_shared.event import ErrorSeverity


class SilenceState(StrEnum):
    """The effect of a silence at a moment."""

    ACTIVE = "active"
    COMING = "coming"
    RESTING = "resting"
    """It recurs, and is between two of its windows."""
    OVER = "over"
    """Its end has come."""
    ENDED = "ended"
    """Somebody ended it."""


class SilenceVerdict(StrEnum):
    """A silence's answer about a notification, with the reason."""

    HIDES = "hides"
    NOT_ACTIVE = "not_active"
    """It is to come, between two windows, over, or was ended."""
    DIFFERENT = "different"
    """Some matcher does not hold."""
    SPARES_CRITICAL = "spares_critical"
    """All matchers hold, but the notification is critical, and the silence does not hide those."""


class Silence(Struct, frozen=True, kw_only=True):
    """Matchers, and when they hold."""

    id: int
    where: Conditions
    starts_at: datetime
    ends_at: datetime
    weekly: tuple[WeeklyWindow, ...] = ()
    """When it hides between start and end; none: all the time."""
    also_critical: bool = False
    author: str = ""
    comment: str = ""
    ended_at: datetime | None = None
    """When somebody ended it."""


def state_of(silence: Silence, at: datetime) -> SilenceState:
    """Return what a silence does at a moment."""
    if silence.ended_at is not None and silence.ended_at <= at:
        return SilenceState.ENDED
    if at < silence.starts_at:
        return SilenceState.COMING
    if at >= silence.ends_at:
        return SilenceState.OVER
    if silence.weekly and not any(covers(window, at) for window in silence.weekly):
        return SilenceState.RESTING
    return SilenceState.ACTIVE


def judge(silence: Silence, facts: Facts, at: datetime) -> SilenceVerdict:
    """Return whether a silence hides a notification with these facts at a moment, or why not."""
    if not silence.where.match(facts):
        return SilenceVerdict.DIFFERENT
    if state_of(silence, at) is not SilenceState.ACTIVE:
        return SilenceVerdict.NOT_ACTIVE
    if facts.severity is ErrorSeverity.CRITICAL and not silence.also_critical:
        return SilenceVerdict.SPARES_CRITICAL
    return SilenceVerdict.HIDES


def silence_over(silences: Iterable[Silence], facts: Facts, at: datetime) -> Silence | None:
    """Return the first silence that hides a notification; None if it may go out."""
    return next((one for one in silences if judge(one, facts, at) is SilenceVerdict.HIDES), None)


def changes_at(silence: Silence, at: datetime) -> datetime:
    """Return when an active silence hides no more, or one that is not begins to: at its end at the latest."""
    if at < silence.starts_at:
        return silence.starts_at
    change = next_change(silence.weekly, at) if silence.weekly else None
    return silence.ends_at if change is None else min(change, silence.ends_at)
