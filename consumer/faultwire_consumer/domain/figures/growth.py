"""The growth of a store: the events of a day, what one takes, and where that leads under its retention."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.retention import Retention
from faultwire_shared.event import ErrorSeverity

WINDOW: Final = timedelta(days=7)
"""The time over which a store's growth is looked at: a whole week, as weekends are quiet."""
LEAST_WINDOW: Final = timedelta(hours=1)
"""Of less nothing is said of a day."""
LEAST_EVENTS: Final = 1_000
"""Of fewer nothing is said of one: the tables' own pages are most of what the store takes."""
AHEAD_DAYS: Final = 3_650
"""So far ahead it is asked when the disk is full."""


class Growth(Struct, frozen=True, kw_only=True):
    """A store's size, and the events that have come to it lately.

    Counted are all events, those that one stored event stands for among them.
    """

    bytes: int
    """In use, without what is free already."""
    window: timedelta
    """The time in which ``lately`` came: ``WINDOW``, or the store's age."""
    kept: Mapping[ErrorSeverity, int]
    lately: Mapping[ErrorSeverity, int]

    @property
    def event_bytes(self) -> float | None:
        """The bytes that an event takes, with all that is beside it; None of a store that has too few."""
        events = sum(self.kept.values())
        return self.bytes / events if events >= LEAST_EVENTS else None

    @property
    def daily(self) -> Mapping[ErrorSeverity, float] | None:
        """The events of a day, by severity; None of a store that is too young."""
        if self.window < LEAST_WINDOW:
            return None
        days = self.window / timedelta(days=1)
        return {severity: count / days for severity, count in self.lately.items()}


def project(growth: Growth, retention: Retention, days: int) -> int | None:
    """Return the bytes that the store takes in so many days, if they are like the last ones.

    None where too little is known to say.
    """
    size, daily = growth.event_bytes, growth.daily
    if size is None or daily is None:
        return None
    events = sum(
        _kept_then(growth.kept.get(severity, 0), daily.get(severity, 0.0), retention.days[severity], days)
        for severity in ErrorSeverity
    )
    grown = round(size * events)
    return grown if retention.max_bytes is None else min(grown, retention.max_bytes)


def days_until_full(growth: Growth, retention: Retention, free_bytes: int) -> int | None:
    """Return the days until the store has taken what is free on its disk.

    None if it does not within ten years, or where too little is known to say.
    """
    if project(growth, retention, 1) is None:
        return None
    room = growth.bytes + free_bytes
    return next((days for days in range(AHEAD_DAYS) if (project(growth, retention, days) or 0) > room), None)


def _kept_then(kept: float, daily: float, retention_days: int, days: int) -> float:
    """The events that are kept then: all that has come, until retention takes as much as comes."""
    settled = daily * retention_days
    return min(kept + daily * days, settled if days >= retention_days else max(kept, settled))
