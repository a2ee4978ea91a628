"""Sliding windows: what trips them, at their edges too."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from faultwire_consumer.domain.window import BUCKETS, LATENESS, Trip, Window, bucket_of, count, is_late

LENGTH = timedelta(minutes=12)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_bucket_holds_its_start_and_not_its_end() -> None:
    first = bucket_of(NOW, LENGTH)
    assert bucket_of(NOW + timedelta(seconds=59, microseconds=999_999), LENGTH) == first
    assert bucket_of(NOW + timedelta(minutes=1), LENGTH) == first + 1
    assert bucket_of(NOW - timedelta(microseconds=1), LENGTH) == first - 1


def test_five_minutes_late_still_counts() -> None:
    assert not is_late(NOW - LATENESS, now=NOW)
    assert is_late(NOW - LATENESS - timedelta(microseconds=1), now=NOW)


def test_a_window_trips_at_its_number_and_again_only_when_it_is_wholly_behind() -> None:
    window, trips = count(Window(), {100: 4}, number=5, length=LENGTH)
    assert trips == ()
    window, trips = count(window, {111: 1}, number=5, length=LENGTH)
    assert trips == (Trip(datetime(1970, 1, 1, 1, 40, tzinfo=UTC), 5),)
    window, trips = count(window, {112: 50}, number=5, length=LENGTH)
    assert trips == ()
    window, trips = count(window, {123: 1}, number=5, length=LENGTH)
    assert [trip.total for trip in trips] == [51]


def test_what_is_twelve_buckets_old_is_not_in_the_window() -> None:
    window, _ = count(Window(), {100: 4}, number=5, length=LENGTH)
    _, trips = count(window, {112: 1}, number=5, length=LENGTH)
    assert trips == ()


arrivals = st.lists(
    st.dictionaries(st.integers(0, 40), st.integers(1, 5), min_size=1, max_size=3), max_size=30
).map(lambda batches: sorted(batches, key=min))


@example([{0: 2, 1: 1, 2: 1}, {14: 1}], 2)
@given(arrivals, st.integers(1, 12))
def test_every_window_with_enough_is_told_once_and_none_with_less(
    batches: list[dict[int, int]], number: int
) -> None:
    window, told = Window(), list[int]()
    seen: dict[int, int] = {}

    def total_until(end: int) -> int:
        return sum(seen.get(bucket, 0) for bucket in range(end - BUCKETS + 1, end + 1))

    for added in batches:
        for bucket, more in added.items():
            seen[bucket] = seen.get(bucket, 0) + more
        # A year-long length keeps every bucket: nothing is forgotten that the model still knows.
        window, trips = count(window, added, number=number, length=timedelta(minutes=1))
        window = msgspec.json.decode(msgspec.json.encode(window), type=Window)
        for trip in trips:
            end = bucket_of(trip.started_at, timedelta(minutes=1)) + BUCKETS - 1
            assert trip.total == total_until(end) >= number
            told.append(end)
    assert all(after >= before + BUCKETS for before, after in pairwise(told))
    for end in range(max(seen, default=-1) + 1):
        if total_until(end) >= number:
            # What comes late may complete a window that lies before one that was told: that is past.
            assert any(one > end - BUCKETS for one in told), (end, told)
