"""The arithmetic of what is missing, whatever the order in which it arrives."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.producer.sequence import (
    Gap,
    GapState,
    Lost,
    SequenceTally,
    bound,
    explain,
    ranges_of,
    reach,
    receive,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def take(tally: SequenceTally, *numbers: int, at: datetime = NOW) -> SequenceTally:
    return receive(tally, ranges_of(numbers), now=at)


def missing(tally: SequenceTally, state: GapState = GapState.OPEN) -> list[int]:
    return sorted(
        number for gap in tally.gaps if gap.state is state for number in range(gap.first, gap.last + 1)
    )


@given(st.data())
def test_any_order_duplication_and_batching_leaves_exactly_what_was_removed(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 60))
    removed = data.draw(st.sets(st.integers(1, total)))
    arrived = [number for number in range(1, total + 1) if number not in removed]
    again = data.draw(st.lists(st.sampled_from(arrived), max_size=20)) if arrived else []
    order = data.draw(st.permutations(arrived + again))
    tally = SequenceTally(0)
    while order:
        size = data.draw(st.integers(1, len(order)))
        tally = take(tally, *order[:size])
        order = order[size:]
        if data.draw(st.booleans()):
            tally = reach(tally, data.draw(st.integers(0, total)), now=NOW)
    tally = reach(tally, total, now=NOW)
    assert missing(tally) == sorted(removed)
    assert tally.last_sequence == total
    starts = sorted(gap.first for gap in tally.gaps)
    assert len(starts) == len(set(starts))


@given(st.sets(st.integers(1, 40)), st.permutations(list(range(1, 41))))
def test_late_fills_close_everything_told_or_not(told: set[int], order: list[int]) -> None:
    tally = reach(SequenceTally(0), 40, now=NOW)
    tally = SequenceTally(
        40,
        tuple(Gap(first=n, last=n, opened_at=NOW, event_id="e" if n in told else None) for n in range(1, 41)),
    )
    for number in order:
        tally = take(tally, number)
    assert missing(tally) == []
    assert missing(tally, GapState.FILLED) == sorted(told)


def test_a_late_number_splits_a_gap_whose_parts_keep_their_age() -> None:
    tally = take(SequenceTally(0), 1, 10)
    tally = take(tally, 5, at=NOW + timedelta(minutes=1))
    assert [(gap.first, gap.last, gap.opened_at) for gap in tally.gaps] == [(2, 4, NOW), (6, 9, NOW)]


def test_what_the_producer_gave_up_is_reported_and_no_longer_open() -> None:
    tally = explain(take(SequenceTally(0), 1, 10), Lost("buffer_full", 3, 3, 5))
    assert missing(tally) == [2, 6, 7, 8, 9]
    assert missing(tally, GapState.REPORTED) == [3, 4, 5]
    assert explain(tally, Lost("buffer_full", 3, 3, 5)) == tally


def test_a_range_that_counts_fewer_than_are_missing_explains_nothing() -> None:
    tally = take(SequenceTally(0), 1, 10)
    assert explain(tally, Lost("buffer_full", 3, 2, 9)) == tally


def test_a_range_with_survivors_explains_the_others() -> None:
    tally = explain(take(SequenceTally(0), 1, 4, 6, 10), Lost("buffer_full", 4, 2, 7))
    assert missing(tally, GapState.REPORTED) == [2, 3, 5, 7]
    assert missing(tally) == [8, 9]


def test_a_reported_number_that_arrives_after_all_is_not_missing() -> None:
    tally = explain(take(SequenceTally(0), 1, 4), Lost("shutdown", 2, 2, 3))
    tally = take(tally, 2)
    assert missing(tally, GapState.REPORTED) == [3]


def test_numbers_begin_at_one() -> None:
    assert ranges_of([3, 0, 1, 2, 2, 7]) == [(1, 3), (7, 7)]
    assert missing(take(SequenceTally(0), 3)) == [1, 2]


@given(st.sets(st.integers(1, 400)), st.sets(st.integers(1, 400)), st.integers(1, 20))
def test_a_bounded_ledger_tells_nothing_that_is_not_missing_and_counts_the_rest(
    arrived: set[int], late: set[int], most: int
) -> None:
    tally = bound(take(SequenceTally(0), *arrived), most)
    total = max(arrived, default=0)
    assert len(tally.gaps) <= most
    assert set(missing(tally)) <= set(range(1, total + 1)) - arrived
    assert len(missing(tally)) + tally.unfollowed == total - len(arrived)
    tally = bound(take(tally, *late), most)
    assert not set(missing(tally)) & (arrived | late)


def test_what_is_explained_goes_first_and_what_was_told_last() -> None:
    told = Gap(first=2, last=2, opened_at=NOW, event_id="e")
    explained = Gap(first=4, last=90, opened_at=NOW, state=GapState.REPORTED, reason="shutdown")
    small, large = Gap(first=92, last=92, opened_at=NOW), Gap(first=94, last=99, opened_at=NOW)
    tally = SequenceTally(100, (told, explained, small, large))
    assert bound(tally, 3) == SequenceTally(100, (told, small, large))
    assert bound(tally, 2) == SequenceTally(100, (told, large), unfollowed=1)
    assert bound(tally, 1) == SequenceTally(100, (told,), unfollowed=7)
    assert bound(tally, 4) is tally
