"""How long events are kept: floors by age and by size, and which days they cut."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_shared.event import ErrorSeverity

KEPT_DAYS: Final = 2
"""Today and so many days before stay, whatever the age or size asked for: only what is older can have been
dropped, so ingest asks for the floors where an event is late, and nowhere else."""
HOURLY_DAYS: Final = 400
ENDED_DAYS: Final = 90
DAYS: Final = 90

Floors = Mapping[ErrorSeverity, date]
"""The oldest day that is kept, by severity; one that is not named was never cut."""


class PruneReason(StrEnum):
    """Why rows went."""

    AGE = "age"
    SIZE = "size"


class Retention(Struct, frozen=True, kw_only=True):
    """What is kept how long."""

    days: Mapping[ErrorSeverity, int]
    hourly_days: int = HOURLY_DAYS
    ended_days: int = ENDED_DAYS
    max_bytes: int | None = None


class FloorStatus(Struct, frozen=True):
    """A severity's floor, and the day up to which what is below it is really gone."""

    day: date
    cleared_to: date | None


class Cut(Struct, frozen=True, order=True):
    """What goes of one day."""

    day: date
    ranks: tuple[int, ...]
    is_whole: bool


def latest_floor(today: date) -> date:
    """The highest that a floor may be."""
    return today - timedelta(days=KEPT_DAYS)


def first_safe(today: date) -> date:
    """The first day that no floor can be above: a clock may be a whole day behind the one that pruned."""
    return today - timedelta(days=KEPT_DAYS - 1)


def is_past(floors: Floors, severity: ErrorSeverity, day: date) -> bool:
    """Whether events of that severity and day may have been dropped."""
    floor = floors.get(severity)
    return floor is not None and day < floor


def floors_by_age(days: Mapping[ErrorSeverity, int], *, today: date) -> dict[ErrorSeverity, date]:
    """The floors for so many days of each severity, today's beside them."""
    latest = latest_floor(today)
    return {severity: min(today - timedelta(days=count), latest) for severity, count in days.items()}


def floor_by_size(days: Sequence[tuple[date, int]], *, excess: int, today: date) -> date | None:
    """The floor, for all severities, by which the oldest days go that together hold so many bytes.

    None where no day may go; a floor that frees less where even all that may go hold less.
    """
    floor, freed = None, 0
    for day, size in sorted(days):
        if day >= latest_floor(today) or freed >= excess:
            break
        floor, freed = day + timedelta(days=1), freed + size
    return floor


def raise_to(before: Floors, wanted: Floors) -> dict[ErrorSeverity, date]:
    """The floors that stand after ``wanted``: none goes back."""
    return {
        severity: max(day for day in (before.get(severity), wanted.get(severity)) if day is not None)
        for severity in ErrorSeverity
        if severity in before or severity in wanted
    }


def plan_cuts(days: Sequence[date], standing: Mapping[ErrorSeverity, FloorStatus]) -> list[Cut]:
    """What is still to go of the stored days, the oldest first.

    A day below every severity's floor goes whole, whenever it is met. Of one below some of them
    those go that were not cleared yet.
    """
    cuts = []
    for day in sorted(days):
        below = {severity for severity, one in standing.items() if day < one.day}
        is_whole = len(below) == len(ErrorSeverity)
        due = {one for one in below if is_whole or _is_due(standing[one], day)}
        if due:
            cuts.append(Cut(day, tuple(sorted(one.rank for one in due)), is_whole))
    return cuts


def _is_due(standing: FloorStatus, day: date) -> bool:
    return standing.cleared_to is None or day >= standing.cleared_to
