"""The choice of bodies that an incident keeps: every event counts, only a bounded number need be read.

A budget is spent in the order in which people will want to read: how it began, what each new
release and host brought, then ever more rarely as the incident ages, so that a day's events and a
year's leave about as many. The first event and the last are always kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

BODIES_PER_INCIDENT: Final = 1_000
"""Bodies kept unless configured otherwise."""
BODIES_MIN: Final = 10
"""The smallest budget that the shares below divide."""
PLACES: Final = 64
"""Releases, and hosts, remembered for one incident; later ones no longer count as new."""

_OPENING_SHARE: Final = 5
_AGING: Final = 32
"""Two bodies are this fraction of the incident's age apart: 75 bodies for each tenfold of it."""
_GAP_MIN: Final = timedelta(seconds=1)
_GAP_MAX: Final = timedelta(days=1)
"""Also keeps one event with a clock decades behind from making the next gap years long."""


class Body(StrEnum):
    """The place where an event's body is kept."""

    KEPT = "kept"
    """With its event, until the event's day is dropped."""
    FIRST = "first"
    """Apart from the events, until an older event is stored."""
    LAST = "last"
    """Apart from the events, until a newer event is stored."""
    NONE = "none"


class BodyReason(StrEnum):
    """The reason why an event's body is or is not kept with it."""

    FIRST = "first"
    """No other body is kept."""
    OPENING = "opening"
    """Among the first fifth of the budget."""
    NEW_RELEASE = "new_release"
    NEW_HOST = "new_host"
    SPREAD = "spread"
    """The last body was kept long enough ago."""
    TOO_SOON = "too_soon"
    SPENT = "spent"
    """The rest of the budget is reserved for what must always be kept."""


class BodyCandidate(Struct, frozen=True):
    """The facts about an event that the decision needs."""

    event_id: str
    at: datetime
    """Time of its occurrence."""
    release: str | None
    host: str | None


class BudgetSpent(Struct):
    """Record of a fingerprint's events, and of what its incident's budget was spent on."""

    bodies: int = 0
    first_at: datetime | None = None
    """Time of the oldest event; None while there is none."""
    last_at: datetime | None = None
    kept_at: datetime | None = None
    """Time of the newest event with a body."""
    releases: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)

    def copy(self) -> "BudgetSpent":
        """Return an independent copy."""
        return BudgetSpent(
            self.bodies, self.first_at, self.last_at, self.kept_at, set(self.releases), set(self.hosts)
        )

    def keep(self, candidate: BodyCandidate) -> None:
        """Record a body that was kept with its event."""
        self.bodies += 1
        if self.kept_at is None or candidate.at > self.kept_at:
            self.kept_at = candidate.at
        release, host = candidate.release, candidate.host
        if release not in self.releases and release and len(self.releases) < PLACES:
            self.releases.add(release)
        if host not in self.hosts and host and len(self.hosts) < PLACES:
            self.hosts.add(host)

    def count(self, candidates: Sequence[BodyCandidate]) -> None:
        """Record events, at least one, whether or not their bodies were kept."""
        moments = [candidate.at for candidate in candidates]
        if self.first_at is None or self.last_at is None:
            self.first_at, self.last_at = min(moments), max(moments)
        else:
            self.first_at, self.last_at = min(self.first_at, *moments), max(self.last_at, *moments)


class Decision(Struct, frozen=True):
    """The place of a body, and why it is or is not kept with its event."""

    body: Body
    reason: BodyReason


# Looked up by name, not made and not hashed for each event: an enum's members are slow at both.
_KEPT: Final = Body.KEPT
_FIRST: Final = Decision(_KEPT, BodyReason.FIRST)
_OPENING: Final = Decision(_KEPT, BodyReason.OPENING)
_NEW_RELEASE: Final = Decision(_KEPT, BodyReason.NEW_RELEASE)
_NEW_HOST: Final = Decision(_KEPT, BodyReason.NEW_HOST)
_SPREAD: Final = Decision(_KEPT, BodyReason.SPREAD)
_TOO_SOON: Final = Decision(Body.NONE, BodyReason.TOO_SOON)
_SPENT: Final = Decision(Body.NONE, BodyReason.SPENT)


def ceiling_of(limit: int) -> int:
    """Return the share of a budget that is spent by choice; the rest is for what must always be kept."""
    return limit - max(2, limit // 20)


def decide_bodies(
    spent: BudgetSpent, candidates: Sequence[BodyCandidate], limit: int
) -> Mapping[str, Decision]:
    """Decide where the bodies of one fingerprint's events in a batch go, by event id.

    Args:
        spent: the record so far; it is not changed.
        candidates: the batch's events of this fingerprint, at least one, in any order.
        limit: the incident's budget.
    """
    if 0 < spent.bodies <= limit // _OPENING_SHARE - len(candidates):
        return dict.fromkeys((candidate.event_id for candidate in candidates), _OPENING)
    ordered = sorted(candidates, key=_occurrence)
    draft = spent.copy()
    draft.count(ordered)
    decided: dict[str, Decision] = {}
    for candidate in ordered:
        decision = decided[candidate.event_id] = _decide(draft, candidate, limit)
        if decision.body is _KEPT:
            draft.keep(candidate)
    for event_id, edge in _edges(spent, ordered):
        if decided[event_id].body is not _KEPT:
            decided[event_id] = Decision(edge, decided[event_id].reason)
    return decided


def _occurrence(candidate: BodyCandidate) -> tuple[datetime, str]:
    return candidate.at, candidate.event_id


def _edges(spent: BudgetSpent, ordered: Sequence[BodyCandidate]) -> Iterable[tuple[str, Body]]:
    oldest, newest = ordered[0], ordered[-1]
    if spent.first_at is not None and oldest.at < spent.first_at:
        yield oldest.event_id, Body.FIRST
    if spent.last_at is None or newest.at >= spent.last_at:
        yield newest.event_id, Body.LAST


def _decide(spent: BudgetSpent, candidate: BodyCandidate, limit: int) -> Decision:
    if spent.bodies == 0 or spent.kept_at is None or spent.first_at is None:
        return _FIRST
    if spent.bodies >= ceiling_of(limit):
        return _SPENT
    if spent.bodies < limit // _OPENING_SHARE:
        return _OPENING
    news = _news_in(candidate, spent) if spent.bodies < limit * 3 // 4 else None
    return news or _by_age(candidate.at - spent.kept_at, candidate.at - spent.first_at)


def _news_in(candidate: BodyCandidate, spent: BudgetSpent) -> Decision | None:
    if candidate.release not in spent.releases and candidate.release and len(spent.releases) < PLACES:
        return _NEW_RELEASE
    if candidate.host not in spent.hosts and candidate.host and len(spent.hosts) < PLACES:
        return _NEW_HOST
    return None


def _by_age(since: timedelta, age: timedelta) -> Decision:
    if since < _GAP_MIN:  # nearly always so in a flood
        return _TOO_SOON
    return _SPREAD if since >= min(max(age / _AGING, _GAP_MIN), _GAP_MAX) else _TOO_SOON
