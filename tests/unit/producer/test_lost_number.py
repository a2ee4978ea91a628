"""Lost numbers as ranges: exact ones until there are too many, and then as near to exact as can be."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from faultwire.audit.lost_numbers import RANGES, SEVERAL, LostNumbers
from faultwire_shared.producer_report import LostRange


def ranges(*numbers: tuple[int, str]) -> list[tuple[int, int, int, str]]:
    lost = LostNumbers()
    for number, reason in numbers:
        lost.add(number, reason)
    return [row(one) for one in lost.ranges()]


def row(one: LostRange) -> tuple[int, int, int, str]:
    return one.first, one.last, one.count, one.reason


@given(st.dictionaries(st.integers(1, 120), st.sampled_from("ab")), st.randoms())
def test_few_numbers_are_told_exactly_in_any_order(lost: dict[int, str], dice: object) -> None:
    order = list(lost.items())
    dice.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives its own Random
    told = ranges(*order, *order)
    assert {n: reason for first, last, _, reason in told for n in range(first, last + 1)} == lost
    assert sum(count for _, _, count, _ in told) == len(lost)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(told))
    assert not any(one[3] == other[3] and one[1] + 1 == other[0] for one, other in itertools.pairwise(told))


@given(st.sets(st.integers(1, 5_000), min_size=RANGES + 1, max_size=2_000), st.randoms())
def test_many_numbers_are_few_ranges_that_hold_them_all_and_count_exactly(
    numbers: set[int], dice: object
) -> None:
    order = list(numbers)
    dice.shuffle(order)  # type: ignore[attr-defined]  # as above
    told = ranges(*((number, "a") for number in order))
    assert len(told) <= RANGES
    assert numbers <= {number for first, last, _, _ in told for number in range(first, last + 1)}
    assert sum(count for _, _, count, _ in told) == len(numbers)


def test_the_nearest_of_one_reason_are_joined_first() -> None:
    numbers = [(10 * n, "a") for n in range(RANGES)] + [(10 * RANGES + 3, "a"), (10 * RANGES + 5, "a")]
    told = ranges(*numbers, (20 * RANGES, "b"))
    assert (10 * RANGES + 3, 10 * RANGES + 5, 2, "a") in told
    assert told[-1] == (20 * RANGES, 20 * RANGES, 1, "b")


def test_reasons_that_alternate_for_ever_become_a_range_of_several() -> None:
    told = ranges(*((number, "ab"[number % 2]) for number in range(1, 1_001)))
    assert len(told) <= RANGES
    assert SEVERAL in {reason for _, _, _, reason in told}
    assert sum(count for _, _, count, _ in told) == 1_000
