"""Retention of events: floors by age and by size, the days they cut, and which clock is believed.

No clock deletes alone: one that is wrong for an hour would take what was kept for months.
"""

from collections.abc import Iterable, Mapping, Sequence
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
PASSING_DAYS: Final = 7
"""Days that may pass between two looks for a clock to be believed at its word, as over a holiday."""
QUIET_DAYS: Final = 14
"""A newest event that is older says nothing of today's date: the store is just quiet."""
DEAD_LETTERS_SHARE: Final = 4
"""The part of a bounded store that dead letters may take, one of so many: one publisher can fill them."""
SHARE: Final = 10
"""After a longer time, the part of the kept days that may go in one look: one of so many."""

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


class Clocks(Struct, frozen=True):
    """The earliest and the latest day that any clock asked says is today."""

    earliest: date
    latest: date


class Passing(Struct, frozen=True):
    """The day that retention goes by, and the stored days for which an operator has to be asked."""

    day: date
    asked: tuple[date, ...] = ()


class Cut(Struct, frozen=True, order=True):
    """The part of one day that goes."""

    day: date
    ranks: tuple[int, ...]
    is_whole: bool


def latest_floor(today: date, newest: date | None = None) -> date:
    """Return the highest day that a floor may have.

    Args:
        today: by the clock that lags most.
        newest: the day of the newest event. It and the two before it stay until something newer comes,
            since a clock may run ahead; after `QUIET_DAYS` the clock is believed.
    """
    if newest is not None and newest >= today - timedelta(days=QUIET_DAYS):
        today = min(today, newest)
    return today - timedelta(days=KEPT_DAYS)


def first_safe(today: date) -> date:
    """Return the first day that no floor can be above: a clock may be a day behind the one that pruned."""
    return today - timedelta(days=KEPT_DAYS - 1)


def floors_ahead(floors: Floors, *, today: date) -> Floors:
    """Return the floors that no clock which says today can have raised."""
    return {severity: day for severity, day in floors.items() if day > first_safe(today)}


def clocks_of(days: Iterable[date]) -> Clocks:
    """Return what several clocks say together."""
    said = sorted(days)
    return Clocks(said[0], said[-1])


def judge_passing(
    stored: Sequence[date],
    days: Mapping[ErrorSeverity, int],
    *,
    today: date,
    last_look: date | None,
    newest: date | None,
) -> Passing:
    """Decide which day to go by: today's, or that of the last look where too much hangs on a clock's word.

    After more than a week without a look, a clock that jumped looks like a worker that was off. It is
    believed if no more than a tenth of the kept days would go, as soon as an event of the last days
    says the same; else an operator is asked, and until then nothing goes that the last look would keep.

    Args:
        stored: the days that have events.
        days: how many are kept of each severity.
        today: by the clocks.
        last_look: the day by which retention went last; None before the first look.
        newest: the day of the newest event.
    """
    last = last_look or newest or today
    if today <= last + timedelta(days=PASSING_DAYS):
        return Passing(today)
    before, after = floors_by_age(days, today=last), floors_by_age(days, today=today)
    due = tuple(day for day in stored if any(before[one] <= day < after[one] for one in after))
    if len(due) * SHARE > len(stored):
        return Passing(last, due)
    is_confirmed = newest is not None and newest >= today - timedelta(days=PASSING_DAYS)
    return Passing(today if is_confirmed else last)


def next_look(last_look: date | None, gone_by: date, clocks: Clocks) -> date:
    """Return the day to remember as that of the last look; one that lies ahead of all clocks is false."""
    if last_look is None or last_look > clocks.latest:
        return gone_by
    return max(last_look, gone_by)


def is_past(floors: Floors, severity: ErrorSeverity, day: date) -> bool:
    """Return True if events of that severity and day may have been dropped."""
    floor = floors.get(severity)
    return floor is not None and day < floor


def floors_by_age(
    days: Mapping[ErrorSeverity, int], *, today: date, newest: date | None = None
) -> dict[ErrorSeverity, date]:
    """Return the floors that keep this many days of each severity, and the last ones."""
    latest = latest_floor(today, newest)
    return {severity: min(today - timedelta(days=count), latest) for severity, count in days.items()}


def floor_by_size(
    days: Sequence[tuple[date, int]], *, excess: int, today: date, newest: date | None = None
) -> date | None:
    """Return the floor, for all severities, that drops the oldest days until ``excess`` bytes are freed.

    None if no day may go; a floor that frees less if all the days that may go hold less.
    """
    floor, freed = None, 0
    for day, size in sorted(days):
        if day >= latest_floor(today, newest) or freed >= excess:
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
