"""Rates around a release: events of its service an hour before it began, and after. Pure."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.urgency import RECENT_MIN, WORSE_PERCENT

AROUND: Final = timedelta(hours=24)
"""The time before and after its beginning that is compared."""
_HOUR: Final = timedelta(hours=1)


class ReleaseSpan(Struct, frozen=True):
    """Whole hours around a release's beginning; the hour in which it began counts as after."""

    before_from: datetime
    began: datetime
    until: datetime
    """The end, which is no part of it: of a day, of now, or of the release itself."""


class ReleaseRates(Struct, frozen=True):
    """Events of a service an hour, before and after; None where the hours are not counted any more."""

    before: float | None
    after: float | None
    is_worse: bool
    """At least twice as many after as before, and not a few in all."""


def span_of(first_seen_at: datetime, *, next_at: datetime | None, now: datetime) -> ReleaseSpan:
    """Return the hours that tell what a release did.

    Args:
        first_seen_at: when its first event occurred.
        next_at: when the service's next release began; None for the newest.
        now: the time.
    """
    began = _hour_of(first_seen_at)
    ends = [began + AROUND, _hour_of(now) + _HOUR]
    if next_at is not None:
        ends.append(_hour_of(next_at))
    return ReleaseSpan(began - AROUND, began, max(min(ends), began + _HOUR))


def rates_of(
    before: int, after: int, span: ReleaseSpan, *, counted_from: datetime | None, now: datetime
) -> ReleaseRates:
    """Return events an hour before and after.

    Args:
        before: events in the hours before.
        after: events in the hours from the beginning on.
        span: these hours.
        counted_from: the first hour that the store has counts of; None if it has none at all.
        now: the time, for the hour that runs.
    """
    if counted_from is None or counted_from >= span.until:
        return ReleaseRates(None, None, is_worse=False)
    hours_after = max((min(span.until, now) - span.began) / _HOUR, 1.0)
    hours_before = (span.began - max(span.before_from, counted_from)) / _HOUR
    rate_after = after / hours_after
    if hours_before < 1:
        return ReleaseRates(None, round(rate_after, 2), is_worse=False)
    # One event more is taken for granted before, as in an incident's growth.
    is_worse = after >= RECENT_MIN and 100 * rate_after >= WORSE_PERCENT * (before + 1) / hours_before
    return ReleaseRates(round(before / hours_before, 2), round(rate_after, 2), is_worse=is_worse)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
