"""Retention of events: floors by age and by size, and the days they cut."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_shared.event import ErrorSeverity

KEPT_DAYS: Final = 2
"""Today and this many days before it stay, whatever the age or size asked for: only older events can have
been dropped, so ingest asks for the floors when an event is late, and only then."""
HOURLY_DAYS: Final = 400
ENDED_DAYS: Final = 90
DAYS: Final = 90

Floors = Mapping[ErrorSeverity, date]
"""The oldest day that is kept, by severity; a severity that is missing was never cut."""


class PruneReason(StrEnum):
    """The reason for deleting rows."""

    AGE = "age"
    SIZE = "size"


class Retention(Struct, frozen=True, kw_only=True):
    """Limits of age and size, by what is kept."""

    days: Mapping[ErrorSeverity, int]
    hourly_days: int = HOURLY_DAYS
    ended_days: int = ENDED_DAYS
    max_bytes: int | None = None


class FloorStatus(Struct, frozen=True):
    """A severity's floor, and the day up to which the rows below it are really gone."""

    day: date
    cleared_to: date | None


class Cut(Struct, frozen=True, order=True):
    """The part of one day that goes."""

    day: date
    ranks: tuple[int, ...]
    is_whole: bool


def latest_floor(today: date) -> date:
    """Return the highest day that a floor may have."""
    return today - timedelta(days=KEPT_DAYS)


def first_safe(today: date) -> date:
    """Return the first day that no floor can be above: a clock may be a day behind the one that pruned."""
    return today - timedelta(days=KEPT_DAYS - 1)


def is_past(floors: Floors, severity: ErrorSeverity, day: date) -> bool:
    """Return True if events of that severity and day may have been dropped."""
    floor = floors.get(severity)
    return floor is not None and day < floor


def floors_by_age(days: Mapping[ErrorSeverity, int], *, today: date) -> dict[ErrorSeverity, date]:
    """Return the floors that keep this many days of each severity, and today."""
    latest = latest_floor(today)
    return {severity: min(today - timedelta(days=count), latest) for severity, count in days.items()}


def floor_by_size(days: Sequence[tuple[date, int]], *, excess: int, today: date) -> date | None:
    """Return the floor, for all severities, that drops the oldest days until ``excess`` bytes are freed.

    None if no day may go; a floor that frees less if all the days that may go hold less.
    """
    floor, freed = None, 0
    for day, size in sorted(days):
        if day >= latest_floor(today) or freed >= excess:
            break
        floor, freed = day + timedelta(days=1), freed + size
    return floor


def raise_to(before: Floors, wanted: Floors) -> dict[ErrorSeverity, date]:
    """Return the floors after raising them to ``wanted``: none is ever lowered."""
    return {
        severity: max(day for day in (before.get(severity), wanted.get(severity)) if day is not None)
        for severity in ErrorSeverity
        if severity in before or severity in wanted
    }


def plan_cuts(days: Sequence[date], standing: Mapping[ErrorSeverity, FloorStatus]) -> list[Cut]:
    """Plan what is still to be removed from the stored days, the oldest first.

    A day below every severity's floor goes whole, whenever it is found. Of a day below some floors
    only those severities go that were not cleared yet.
    """
    cuts = []
    for day in sorted(days):
        below = {severity for severity, status in standing.items() if day < status.day}
        is_whole = len(below) == len(ErrorSeverity)
        due = {severity for severity in below if is_whole or _is_due(standing[severity], day)}
        if due:
            cuts.append(Cut(day, tuple(sorted(severity.rank for severity in due)), is_whole))
    return cuts


def _is_due(standing: FloorStatus, day: date) -> bool:
    return standing.cleared_to is None or day >= standing.cleared_to
