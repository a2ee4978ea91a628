"""Counting in a sliding window, in twelve steps: pure, so that several workers can share the counts.

A window of ``length`` is twelve buckets of the clock, each a twelfth of it. It holds everything from
the last eleven twelfths, and nothing older than its length.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

BUCKETS: Final = 12
LATENESS: Final = timedelta(minutes=5)
"""An event that arrives this late still counts; an older one trips nothing."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Window(Struct, frozen=True, array_like=True):
    """The counts of one scope by bucket, and the bucket that ended the last window that tripped."""

    counts: dict[int, int] = {}
    tripped: int | None = None


class Trip(Struct, frozen=True):
    """A window that reached its number."""

    started_at: datetime
    total: int


def bucket_of(moment: datetime, length: timedelta) -> int:
    """Return the bucket that a moment falls into; its start belongs to it, its end to the next one."""
    return (moment - _EPOCH) // (length / BUCKETS)


def is_late(occurred_at: datetime, *, now: datetime) -> bool:
    """Return True if the event comes too late for any window."""
    return occurred_at < now - LATENESS


def count(
    window: Window, added: Mapping[int, int], *, number: int, length: timedelta
) -> tuple[Window, tuple[Trip, ...]]:
    """Add to the buckets, and return the windows that reach the number by it.

    A window trips once: the next that can trip lies wholly after it, so that a storm is reported once
    per length and not with every event.
    """
    if not added:
        return window, ()
    counts = dict(window.counts)
    for bucket, more in added.items():
        counts[bucket] = counts.get(bucket, 0) + more
    tripped, trips = window.tripped, []
    newest = max(counts)
    # Time has moved past windows that hold earlier counts: they were not over then, and are now.
    for end in _ends(counts if newest > max(window.counts, default=newest) else added, newest):
        total = sum(counts.get(bucket, 0) for bucket in range(end - BUCKETS + 1, end + 1))
        if total >= number and (tripped is None or end >= tripped + BUCKETS):
            tripped = end
            trips.append(Trip(_EPOCH + (length / BUCKETS) * (end - BUCKETS + 1), total))
    oldest = newest - BUCKETS - _late_buckets(length)
    kept = {bucket: total for bucket, total in sorted(counts.items()) if bucket > oldest}
    return Window(kept, tripped), tuple(trips)


def _ends(buckets: Iterable[int], newest: int) -> list[int]:
    """Return the last buckets of all windows that contain the buckets and have begun to end."""
    return sorted({end for bucket in buckets for end in range(bucket, min(bucket + BUCKETS, newest + 1))})


def _late_buckets(length: timedelta) -> int:
    return -(-LATENESS // (length / BUCKETS))
