"""The order in which incidents want somebody: urgency and growth as numbers that an index can hold."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Status
from faultwire_shared.event import ErrorSeverity

# Each outweighs all below it together; an incident's severity (1 to 4) decides among equals.
OPEN: Final = 8
NEW: Final = 16
WORSE: Final = 32
CAME_BACK: Final = 64
CRITICAL: Final = 128
"""Critical, and nobody has acknowledged it."""

NEW_FOR: Final = timedelta(hours=24)
"""The time for which an incident is new."""
RECENT: Final = timedelta(hours=2)
"""The present: the hour that runs and the one before it."""
BEFORE: Final = timedelta(hours=24)
"""The past that it is compared with."""
RECENT_MIN: Final = 10
"""Events below which nothing is said: three instead of one is no growth."""
WORSE_PERCENT: Final = 200
"""Growth from which an incident is worse: twice as many as before."""
GROWTH_MAX: Final = 1_000_000

_EACH: Final = 16
"""Counts below this have a class of their own; above, a class is up to the next power of two."""


class GrowthRates(Struct, frozen=True):
    """An incident's counts in the hours that growth compares."""

    recent: int
    before: int


def recent_from(now: datetime) -> datetime:
    """Return the first hour that counts as recent."""
    return _hour_of(now) - RECENT + timedelta(hours=1)


def before_from(now: datetime) -> datetime:
    """Return the first hour that the recent ones are compared with."""
    return recent_from(now) - BEFORE


def growth_of(rates: GrowthRates, *, began_at: datetime, now: datetime) -> int:
    """Return the recent hourly rate as a percentage of the mean before; 0 where there is too little to say.

    One event more is taken for granted in the hours before, so that an outlier in silence is a large
    number and not an infinite one. Of an incident that began in the recent hours nothing is said.
    """
    since = recent_from(now)
    if rates.recent < RECENT_MIN or began_at >= since:
        return 0
    recent_hours = max((now - since) / timedelta(hours=1), 1.0)
    hours = min(max((since - began_at) / timedelta(hours=1), 1.0), BEFORE / timedelta(hours=1))
    return min(round(100 * (rates.recent / recent_hours) / ((rates.before + 1) / hours)), GROWTH_MAX)


def is_new(first_seen_at: datetime, *, now: datetime) -> bool:
    """Tell whether an incident began so lately that it is new."""
    return first_seen_at > now - NEW_FOR


def count_class(count: int) -> int:
    """Return the class of a count: the same for counts that lie within a power of two, rising with them."""
    return count if count < _EACH else _EACH - 4 + count.bit_length() - 1


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def urgency_of(status: str, *, severity: int, episode: int, growth: int, is_new: bool) -> int:
    """Return how much an incident wants somebody; its severity alone where somebody is on it.

    Once it is resolved it is 0. The store computes the same in SQL, see ``store/events/figures/standing.py``.
    """
    if status != Status.OPEN:
        return 0 if status == Status.RESOLVED else severity
    reasons = (
        (CRITICAL, severity == ErrorSeverity.CRITICAL.rank),
        (CAME_BACK, episode > 1),
        (WORSE, growth >= WORSE_PERCENT),
        (NEW, is_new),
    )
    return OPEN + severity + sum(weight for weight, holds in reasons if holds)
