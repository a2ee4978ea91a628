"""Judges what the events of a batch mean for one incident.

Lateness is judged by occurrence: an event from before the resolve counts, whenever it arrives, and never
looks like a regression.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.incident import (
    WORKER,
    Status,
    Touched,
    Transition,
    TransitionReason,
)
from faultwire_consumer.domain.incident_terms import (
    NO_TERMS,
    Mute,
    Resolution,
    ResolutionBound,
    Terms,
    is_over,
)
from faultwire_consumer.domain.lifecycle.table import TABLE, CellStep, Happening, state_of
from faultwire_consumer.domain.release_order import FirstSights, compare_releases


class Occurrence(Struct, frozen=True):
    """An event of a batch, as far as an incident's terms ask for it."""

    event_id: str
    at: datetime
    """When the last error that it stands for occurred."""
    release: str | None
    environment: str


class Evidence(Struct, frozen=True, kw_only=True):
    """Knowledge beside an incident's own row; looked up only where terms ask for it."""

    occurrences: Sequence[Occurrence] = ()
    """The incident's events in the batch."""
    first_seen: FirstSights = {}
    """Of the releases that they and the terms name."""
    is_window_full: bool = False
    """The mute waits for a number of events within a time, and the batch reached it."""


NO_EVIDENCE = Evidence()


def judge(touched: Touched, *, now: datetime, evidence: Evidence = NO_EVIDENCE) -> Transition | None:
    """Decide what the events of a batch do to one incident's state; None if nothing."""
    if touched.first_sight:
        return _transition(touched, now, TransitionReason.OPENED, touched.newest_event_id)
    state = state_of(touched.status, is_muted=touched.terms.mute is not None)
    for happening, event_id in _happenings(touched, evidence):
        cell = TABLE[state, happening]
        if isinstance(cell, CellStep):
            return replace(
                _transition(touched, now, cell.reason, event_id),
                before=touched.status,
                after=cell.after.status,
                episode=touched.episode + (cell.reason is TransitionReason.REGRESSED),
                terms=_terms_left(touched.terms, cell),
                detail=_detail(touched.terms, cell),
            )
    return None


def _happenings(touched: Touched, evidence: Evidence) -> Sequence[tuple[Happening, str]]:
    """List what happened, each with its event, the weightiest first."""
    newest = touched.newest_event_id
    if touched.status is Status.RESOLVED:
        again = _came_again(touched, evidence)
        return [(Happening.CAME_AGAIN, again)] if again is not None else []
    found = []
    if touched.severity.rank > touched.severity_before.rank:
        found.append((Happening.ROSE, newest))
    mute, until = touched.terms.mute, touched.terms.acknowledged_until
    if mute is not None and (ending := _end_of_mute(mute, touched, evidence)) is not None:
        found.append((Happening.MUTE_OVER, ending))
    if until is not None and touched.newest_at >= until:
        found.append((Happening.ACKNOWLEDGE_OVER, newest))
    return found


def _came_again(touched: Touched, evidence: Evidence) -> str | None:
    """Return the newest event that the resolve does not cover."""
    if touched.resolved_at is None or touched.newest_at <= touched.resolved_at:
        return None
    resolution = touched.terms.resolution
    if resolution is None:
        return touched.newest_event_id
    again = [
        one
        for one in evidence.occurrences
        if one.at > touched.resolved_at
        and not is_covered(one, resolution, evidence.first_seen, resolved_at=touched.resolved_at)
    ]
    return max(again, key=lambda one: (one.at, one.event_id)).event_id if again else None


def is_covered(
    one: Occurrence, resolution: Resolution, first_seen: FirstSights, *, resolved_at: datetime
) -> bool:
    """Return True if an event that occurred after a resolve is of what it leaves out.

    That is another environment, or an older release. An event that names no release is not older. Nor
    is one whose release was first seen after the resolve, while the one that it was resolved in was never
    seen: that one may have been misspelt, and an incident that cannot come back would hide it.
    """
    if resolution.environment is not None and one.environment != resolution.environment:
        return True
    if resolution.release is None or not one.release:
        return False
    order = compare_releases(one.release, resolution.release, first_seen)
    if resolution.bound is ResolutionBound.AFTER:
        return order <= 0
    if order < 0 and resolution.release not in first_seen and _is_newer(one.release, first_seen, resolved_at):
        return compare_releases(one.release, resolution.release, {}) < 0  # by their parts alone
    return order < 0


def _is_newer(release: str, first_seen: FirstSights, resolved_at: datetime) -> bool:
    return release in first_seen and first_seen[release] > resolved_at


def _end_of_mute(mute: Mute, touched: Touched, evidence: Evidence) -> str | None:
    """Return the event that ends a mute, the first after its end or the one that it waited for."""
    newest = touched.newest_event_id
    if is_over(mute, touched.newest_at):
        return newest
    if mute.within_seconds is not None:
        return newest if evidence.is_window_full else None
    if mute.count is not None:
        return newest if touched.count - mute.count_from >= mute.count else None
    if not mute.next_release:
        return None
    newer = [
        one
        for one in evidence.occurrences
        if one.release and _is_after(one.release, mute.after_release, evidence.first_seen)
    ]
    return max(newer, key=lambda one: (one.at, one.event_id)).event_id if newer else None


def _is_after(release: str, known: str | None, first_seen: FirstSights) -> bool:
    return known is None or compare_releases(release, known, first_seen) > 0


def _terms_left(terms: Terms, step: CellStep) -> Terms:
    return Terms(
        link=terms.link,
        acknowledged_until=terms.acknowledged_until if step.after.status is Status.ACKNOWLEDGED else None,
        mute=terms.mute if step.after.is_muted else None,
    )


def _detail(terms: Terms, step: CellStep) -> str:
    is_unsaid = terms.mute is not None and not step.after.is_muted
    return "its mute ended with that" if is_unsaid and step.reason is TransitionReason.SEVERITY_ROSE else ""


def _transition(touched: Touched, now: datetime, reason: TransitionReason, event_id: str) -> Transition:
    return Transition(
        incident_id=touched.incident_id,
        before=None,
        after=Status.OPEN,
        episode=touched.episode,
        resolved_at=None,
        reason=reason,
        actor=WORKER,
        at=now,
        event_id=event_id,
        terms=NO_TERMS,
    )


def asks_for_events(touched: Collection[Touched]) -> list[Touched]:
    """List the incidents whose terms are judged by each of their events."""
    return [one for one in touched if not one.first_sight and _names_place(one.terms)]


def _names_place(terms: Terms) -> bool:
    resolution, mute = terms.resolution, terms.mute
    return resolution is not None or (mute is not None and (mute.next_release or bool(mute.within_seconds)))


def releases_in(touched: Touched, occurrences: Sequence[Occurrence]) -> frozenset[str]:
    """Return the releases whose first sights may decide."""
    resolution, mute = touched.terms.resolution, touched.terms.mute
    named = {one.release for one in occurrences}
    if resolution is not None:
        named.add(resolution.release)
    if mute is not None:
        named.add(mute.after_release)
    return frozenset(name for name in named if name)


def evidence_of(found: Mapping[int, Evidence], touched: Touched) -> Evidence:
    """Return what was looked up for an incident, if anything was."""
    return found.get(touched.incident_id, NO_EVIDENCE)
