"""The numbers of events that were given up, as ranges: exact ones until there are too many."""

from bisect import bisect_right
from typing import Final

from msgspec import Struct

from faultwire_shared.producer_report import LOST_RANGES, LostRange

RANGES: Final = LOST_RANGES - 20
"""Kept of one producer at most; the rest of a report's room is for losses without a number."""
SEVERAL: Final = "several_reasons"
"""Of a range that had to be made of losses for different reasons."""


class _Run(Struct):
    """``count`` lost events between two numbers; fewer than there are numbers once runs were joined."""

    first: int
    last: int
    count: int
    reason: str


class LostNumbers:
    """Runs without overlap, in order. Beyond twice ``RANGES`` the nearest neighbours are joined."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, number: int, reason: str) -> None:
        """Note one number; the same number again changes nothing."""
        runs = self._runs
        if runs and number == runs[-1].last + 1 and reason == runs[-1].reason:
            runs[-1].last = number
            runs[-1].count += 1
            return
        index = bisect_right(runs, number, key=_first) - 1
        if index >= 0 and number <= runs[index].last:
            run = runs[index]
            run.count = min(run.count + 1, run.last - run.first + 1)
            return
        runs.insert(index + 1, _Run(number, number, 1, reason))
        if len(runs) > 2 * RANGES:
            self._compact()

    def ranges(self) -> list[LostRange]:
        """The known losses, in ``RANGES`` ranges at most."""
        self._compact()
        return [
            LostRange(reason=run.reason, count=run.count, first=run.first, last=run.last)
            for run in self._runs
        ]

    def _compact(self) -> None:
        self._join({index for index in range(len(self._runs) - 1) if self._distance(index) == (False, 1)})
        excess = len(self._runs) - RANGES
        if excess > 0:
            nearest = sorted(range(len(self._runs) - 1), key=self._distance)
            self._join(set(nearest[:excess]))

    def _distance(self, index: int) -> tuple[bool, int]:
        """The cost of joining a run with the next one."""
        run, following = self._runs[index], self._runs[index + 1]
        return run.reason != following.reason, following.first - run.last

    def _join(self, with_next: set[int]) -> None:
        joined: list[_Run] = []
        for index, run in enumerate(self._runs):
            if index - 1 in with_next:
                before = joined[-1]
                before.last = run.last
                before.count += run.count
                if before.reason != run.reason:
                    before.reason = SEVERAL
            else:
                joined.append(run)
        self._runs = joined


def _first(run: _Run) -> int:
    return run.first
