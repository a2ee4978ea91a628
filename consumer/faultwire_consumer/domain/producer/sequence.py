"""Missing numbers of a producer's events: arithmetic on ranges, whatever the order of arrival."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

JUMP_MAX: Final = 1_000_000
"""The most numbers that can be missing in a row: one that lies further ahead is no count of events."""


class GapState(StrEnum):
    """State of numbers that did not arrive."""

    OPEN = "open"
    REPORTED = "reported"
    """The producer reports that it gave them up."""
    FILLED = "filled"
    """They came late, after an incident had reported them."""


class Gap(Struct, frozen=True, kw_only=True):
    """The numbers ``first`` to ``last``, missing since ``opened_at``."""

    first: int
    last: int
    opened_at: datetime
    state: GapState = GapState.OPEN
    reason: str | None = None
    """The producer's reason for losing them, if it gives one."""
    event_id: str | None = None
    """Id of the event that reported the gap to operators; the gap is kept until its incident is resolved."""

    @property
    def events(self) -> int:
        """Return how many numbers are missing."""
        return self.last - self.first + 1


class Lost(Struct, frozen=True):
    """A range in which the producer says it lost ``count`` events."""

    reason: str
    count: int
    first: int
    last: int


class SequenceTally(Struct, frozen=True):
    """The highest number known to be used by a producer, and the gaps below it."""

    last_sequence: int
    gaps: tuple[Gap, ...] = ()
    unfollowed: int = 0
    """Missing numbers that are no longer followed, as there were too many gaps; nothing reports them."""


def ranges_of(sequences: Iterable[int]) -> list[tuple[int, int]]:
    """Turn the numbers into ranges without overlap, from the lowest to the highest; numbers begin at 1."""
    ranges: list[tuple[int, int]] = []
    for number in sorted({one for one in sequences if one > 0}):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def receive(tally: SequenceTally, ranges: Sequence[tuple[int, int]], *, now: datetime) -> SequenceTally:
    """Record the numbers that arrived: they fill gaps, and those beyond the highest may open one.

    Numbers that jump by more than `JUMP_MAX` are not followed: by one of them a producer's audit would end.
    """
    last, gaps = tally.last_sequence, list(tally.gaps)
    for first, end in ranges:
        if first > last + 1 + JUMP_MAX:
            break
        if first > last + 1:
            gaps.append(Gap(first=last + 1, last=first - 1, opened_at=now))
        last = max(last, end)
    return replace(tally, last_sequence=last, gaps=tuple(_fill(gaps, ranges, now)) if gaps else ())


def reach(tally: SequenceTally, last_sequence: int, *, now: datetime) -> SequenceTally:
    """Record the last number that the producer has used: any that did not arrive by it are missing.

    One that jumps by more than `JUMP_MAX` is not followed.
    """
    if not tally.last_sequence < last_sequence <= tally.last_sequence + JUMP_MAX:
        return tally
    gap = Gap(first=tally.last_sequence + 1, last=last_sequence, opened_at=now)
    return replace(tally, last_sequence=last_sequence, gaps=(*tally.gaps, gap))


def explain(tally: SequenceTally, lost: Lost) -> SequenceTally:
    """Record what the producer lost on purpose.

    A range with more missing numbers than it counts explains none of them: there is no way to know
    which ones it means.
    """
    inside = [
        gap for gap in tally.gaps if gap.state is GapState.OPEN and _overlap(gap, lost.first, lost.last)
    ]
    missing = sum(min(gap.last, lost.last) - max(gap.first, lost.first) + 1 for gap in inside)
    already = sum(
        min(gap.last, lost.last) - max(gap.first, lost.first) + 1
        for gap in tally.gaps
        if gap.state is GapState.REPORTED and _overlap(gap, lost.first, lost.last)
    )
    if not missing or missing + already > lost.count:
        return tally
    gaps: list[Gap] = []
    for gap in tally.gaps:
        if gap not in inside:
            gaps.append(gap)
            continue
        first, last = max(gap.first, lost.first), min(gap.last, lost.last)
        gaps += _outside(gap, first, last)
        gaps.append(_part(gap, first, last, state=GapState.REPORTED, reason=lost.reason))
    return replace(tally, gaps=tuple(gaps))


def bound(tally: SequenceTally, maximum: int) -> SequenceTally:
    """Keep at most this many gaps: what is reported stays exact, and what is not followed is counted.

    Explained gaps go first, then the smallest unreported ones, of one size the newest first.
    """
    excess = sum(gap.state is not GapState.FILLED for gap in tally.gaps) - maximum
    if excess <= 0:
        return tally
    standing = [gap for gap in tally.gaps if gap.state is not GapState.FILLED]
    gone = sorted(standing, key=_worth)[:excess]
    unfollowed = sum(gap.events for gap in gone if gap.state is GapState.OPEN)
    firsts = {gap.first for gap in gone}
    kept = tuple(gap for gap in tally.gaps if gap.state is GapState.FILLED or gap.first not in firsts)
    return replace(tally, gaps=kept, unfollowed=tally.unfollowed + unfollowed)


def _worth(gap: Gap) -> tuple[bool, bool, int, float]:
    return (
        gap.event_id is not None,
        gap.state is GapState.OPEN,
        gap.events,
        -gap.opened_at.timestamp(),
    )


def _fill(gaps: Sequence[Gap], ranges: Sequence[tuple[int, int]], now: datetime) -> list[Gap]:
    left = list(gaps)
    for first, last in ranges:
        if not any(gap.state is not GapState.FILLED and _overlap(gap, first, last) for gap in left):
            continue
        after: list[Gap] = []
        for gap in left:
            if gap.state is GapState.FILLED or not _overlap(gap, first, last):
                after.append(gap)
                continue
            after += _outside(gap, first, last)
            if gap.event_id is not None:  # it was reported, so its arrival has to be reported too
                filled = max(gap.first, first), min(gap.last, last)
                after.append(_part(gap, *filled, state=GapState.FILLED, reason=gap.reason))
        left = after
    return left


def _outside(gap: Gap, first: int, last: int) -> list[Gap]:
    """Return what is left of a gap on both sides of a range."""
    left = [_part(gap, gap.first, first - 1, state=gap.state, reason=gap.reason)] if gap.first < first else []
    right = [_part(gap, last + 1, gap.last, state=gap.state, reason=gap.reason)] if gap.last > last else []
    return left + right


def _part(gap: Gap, first: int, last: int, *, state: GapState, reason: str | None) -> Gap:
    return Gap(
        first=first, last=last, opened_at=gap.opened_at, state=state, reason=reason, event_id=gap.event_id
    )


def _overlap(gap: Gap, first: int, last: int) -> bool:
    return gap.first <= last and gap.last >= first
