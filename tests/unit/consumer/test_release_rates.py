"""Rates around a release: a day before, a day after, and what is not known is not made up."""

from datetime import UTC, datetime, timedelta

from faultwire_consumer.domain.figures.release_rates import ReleaseRates, rates_of, span_of

HOUR = timedelta(hours=1)
BEGAN = datetime(2026, 11, 23, 12, 40, tzinfo=UTC)
NOON = BEGAN.replace(minute=0)
LATER = BEGAN + timedelta(days=9)
LONG_AGO = BEGAN - timedelta(days=9)


def rates(
    before: int, after: int, *, now: datetime = LATER, known: datetime | None = LONG_AGO
) -> ReleaseRates:
    return rates_of(before, after, span_of(BEGAN, next_at=None, now=now), counted_from=known, now=now)


def test_a_release_is_compared_with_the_day_before_in_whole_hours() -> None:
    span = span_of(BEGAN, next_at=None, now=LATER)
    assert (span.before_from, span.began, span.until) == (NOON - 24 * HOUR, NOON, NOON + 24 * HOUR)


def test_a_release_ends_with_the_next_one_and_with_now() -> None:
    assert span_of(BEGAN, next_at=BEGAN + 3 * HOUR, now=LATER).until == NOON + 3 * HOUR
    assert span_of(BEGAN, next_at=BEGAN + timedelta(minutes=2), now=LATER).until == NOON + HOUR
    assert span_of(BEGAN, next_at=None, now=BEGAN + 2 * HOUR).until == NOON + 3 * HOUR


def test_rates_are_events_an_hour_and_worse_is_at_least_twice_as_many() -> None:
    assert rates(48, 240) == ReleaseRates(2, 10, is_worse=True)
    assert rates(48, 60) == ReleaseRates(2, 2.5, is_worse=False)
    assert rates(0, 9) == ReleaseRates(0, 0.38, is_worse=False), "a few are no flood"
    assert rates(0, 10).is_worse


def test_the_hour_that_runs_counts_by_its_minutes() -> None:
    now = NOON + 2.5 * HOUR
    assert rates(0, 50, now=now).after == 20
    assert rates(0, 50, now=BEGAN).after == 50, "an hour at least"


def test_hours_that_are_not_counted_any_more_are_not_known() -> None:
    assert rates(48, 240, known=None) == ReleaseRates(None, None, is_worse=False)
    assert rates(48, 240, known=LATER) == ReleaseRates(None, None, is_worse=False)
    assert rates(48, 240, known=NOON) == ReleaseRates(None, 10, is_worse=False)
    assert rates(12, 240, known=NOON - 6 * HOUR) == ReleaseRates(2, 10, is_worse=True)
