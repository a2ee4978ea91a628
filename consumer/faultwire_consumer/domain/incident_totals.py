"""The totals of incidents that are merged into one, and of those that an unmerge takes apart again.

Counts are exact: counters are kept for each fingerprint. What is kept with events alone is as exact as
the events that are still kept: the first and the last of a fingerprint, its severity, its bodies.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.search_text import SEARCH_CHARACTERS

_HOUR: Final = timedelta(hours=1)


class IncidentTotals(Struct, frozen=True, kw_only=True):
    """The figures of all its events in an incident's row."""

    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    severity: int
    """Its rank, 1 to 4."""
    last_release: str | None
    bodies: int
    body_kept_at: datetime | None
    search_text: str


class KeptFigures(Struct, frozen=True, kw_only=True):
    """The figures of some fingerprints by their counters and their kept events."""

    count: int
    """By the hourly counters, which are kept for longer than events."""
    first_hour: datetime | None
    last_hour: datetime | None
    first_at: datetime | None
    """Of the events that are kept; a collapsed one counts by its first error."""
    last_at: datetime | None
    severity: int | None
    bodies: int
    body_kept_at: datetime | None
    last_release: str | None


def combine_totals(target: IncidentTotals, others: Sequence[IncidentTotals]) -> IncidentTotals:
    """Return the totals of incidents that become one."""
    every = [target, *others]
    newest = max(every, key=lambda one: (one.last_release is not None, one.last_seen_at))
    return IncidentTotals(
        count=sum(one.count for one in every),
        first_seen_at=min(one.first_seen_at for one in every),
        last_seen_at=max(one.last_seen_at for one in every),
        severity=max(one.severity for one in every),
        last_release=newest.last_release,
        bodies=sum(one.bodies for one in every),
        body_kept_at=max((one.body_kept_at for one in every if one.body_kept_at), default=None),
        search_text="\n".join(one.search_text for one in every)[: 4 * SEARCH_CHARACTERS],
    )


def split_totals(
    whole: IncidentTotals, own: IncidentTotals, *, moved: KeptFigures, left: KeptFigures
) -> tuple[IncidentTotals, IncidentTotals]:
    """Return the totals of what stays and of what goes, when a merged incident becomes its own again.

    Args:
        whole: those of the incident that it was merged into, now.
        own: its own, as they were at the merge.
        moved: the figures of the fingerprints that go.
        left: of those that stay.
    """
    most = whole.count - max(left.count, 1)
    # Counters that retention deleted since were counted when it was merged.
    going = replace(
        own,
        count=min(max(moved.count, own.count), most),
        first_seen_at=min(own.first_seen_at, moved.first_at or own.first_seen_at),
        last_seen_at=max(own.last_seen_at, moved.last_at or own.last_seen_at),
        severity=max(own.severity, moved.severity or 0),
        last_release=moved.last_release or own.last_release,
        bodies=moved.bodies,
        body_kept_at=moved.body_kept_at,
    )
    staying = replace(
        whole,
        count=whole.count - going.count,
        first_seen_at=_first_left(whole, going, left),
        last_seen_at=_last_left(whole, going, left),
        severity=whole.severity if going.severity < whole.severity else left.severity or whole.severity,
        last_release=left.last_release or whole.last_release,
        bodies=max(0, whole.bodies - moved.bodies),
        search_text=_without(whole.search_text, own.search_text),
    )
    return staying, going


def _first_left(whole: IncidentTotals, going: IncidentTotals, left: KeptFigures) -> datetime:
    """Return the first sight of what stays: to the hour where its events are no longer kept."""
    if whole.first_seen_at < going.first_seen_at:
        return whole.first_seen_at
    if left.first_at is None:
        return left.first_hour or whole.first_seen_at
    if left.first_hour is not None and left.first_hour + _HOUR <= left.first_at:
        return left.first_hour
    return left.first_at


def _last_left(whole: IncidentTotals, going: IncidentTotals, left: KeptFigures) -> datetime:
    if whole.last_seen_at > going.last_seen_at:
        return whole.last_seen_at
    if left.last_at is None:
        return left.last_hour or whole.last_seen_at
    if left.last_hour is not None and left.last_hour > left.last_at:
        return left.last_hour
    return left.last_at


def _without(text: str, part: str) -> str:
    """Return a text without the part that was joined to it."""
    before, found, after = text.rpartition(f"\n{part}")
    return before + after if found else text
