"""Precision and recall of a grouping, by pairs of events."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import comb

from msgspec import Struct


class Judgement(Struct, frozen=True):
    """Share of what was put together that belongs together, and share of what belongs together that was."""

    precision: float
    recall: float
    split: tuple[str, ...]
    """Bugs that have more than one group."""
    merged: tuple[tuple[str, ...], ...]
    """Bugs that share a group."""


def judge(bugs: Sequence[str], groups: Sequence[Hashable]) -> Judgement:
    """Judge the groups of events whose bugs are known."""
    both = Counter(zip(bugs, groups, strict=True))
    right = sum(comb(count, 2) for count in both.values())
    of_bug = sum(comb(count, 2) for count in Counter(bugs).values())
    of_group = sum(comb(count, 2) for count in Counter(groups).values())
    named: dict[Hashable, set[str]] = {}
    for bug, group in both:
        named.setdefault(group, set()).add(bug)
    pieces = Counter(bug for bug, _ in both)
    return Judgement(
        precision=right / of_group,
        recall=right / of_bug,
        split=tuple(sorted(bug for bug, count in pieces.items() if count > 1)),
        merged=tuple(sorted(tuple(sorted(each)) for each in named.values() if len(each) > 1)),
    )
