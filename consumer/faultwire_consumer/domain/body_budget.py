"""Which events' bodies an incident keeps: every event counts, but only a bounded number need be read.

A budget is spent in the order of what somebody will want to read: how it began, what each new
release and host brought, then ever rarer as the incident ages, so that a day's events and a
year's leave about as many. The first event and the last are kept whatever the budget says.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

BODIES_PER_INCIDENT: Final = 1_000
"""How many are kept unless configured otherwise."""
BODIES_LEAST: Final = 10
"""The smallest budget that the shares below divide."""
PLACES: Final = 64
"""Releases, and hosts, that are remembered of one incident; later ones are news no more."""

_OPENING_SHARE: Final = 5
_AGING: Final = 32
"""A fraction of the age between two: 75 bodies for each tenfold of it."""
_GAP_LEAST: Final = timedelta(seconds=1)
_GAP_MOST: Final = timedelta(days=1)
"""Also what keeps one event with a clock decades behind from making the next gap years long."""


class Body(StrEnum):
    """Where an event's body is kept."""

    KEPT = "kept"
    """With its event, until that one's day is dropped."""
    FIRST = "first"
    """Beside the events, until an older event is stored."""
    LAST = "last"
    """Beside the events, until a newer event is stored."""
    NONE = "none"


class BodyReason(StrEnum):
    """Why an event's body is kept with it, or is not."""

    FIRST = "first"
    """No other is."""
    OPENING = "opening"
    """Among the first fifth of the budget."""
    NEW_RELEASE = "new_release"
    NEW_HOST = "new_host"
    SPREAD = "spread"
    """The last one that was kept is long enough ago."""
    TOO_SOON = "too_soon"
    SPENT = "spent"
    """What is left of the budget is for what must always be kept."""


class BodyCandidate(Struct, frozen=True):
    """What the decision asks of an event."""

    event_id: str
    at: datetime
    """When it occurred."""
    release: str | None
    host: str | None


class BudgetSpent(Struct):
    """What is known of a fingerprint's events, and of what its incident's budget was spent on."""

    bodies: int = 0
    first_at: datetime | None = None
    """When the oldest event occurred; None while there is none."""
    last_at: datetime | None = None
    kept_at: datetime | None = None
    """When the newest one with a body occurred."""
    releases: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)

    def copy(self) -> "BudgetSpent":
        """The same, to be changed apart."""
        return BudgetSpent(
            self.bodies, self.first_at, self.last_at, self.kept_at, set(self.releases), set(self.hosts)
        )

    def keep(self, sight: BodyCandidate) -> None:
        """Take a body into account that was kept with its event."""
        self.bodies += 1
        if self.kept_at is None or sight.at > self.kept_at:
            self.kept_at = sight.at
        release, host = sight.release, sight.host
        if release not in self.releases and release and len(self.releases) < PLACES:
            self.releases.add(release)
        if host not in self.hosts and host and len(self.hosts) < PLACES:
            self.hosts.add(host)

    def count(self, sights: Sequence[BodyCandidate]) -> None:
        """Take events into account, at least one, whatever became of their bodies."""
        moments = [sight.at for sight in sights]
        if self.first_at is None or self.last_at is None:
            self.first_at, self.last_at = min(moments), max(moments)
        else:
            self.first_at, self.last_at = min(self.first_at, *moments), max(self.last_at, *moments)


class Decision(Struct, frozen=True):
    """Where a body goes, and why it is kept with its event or is not."""

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
    """How many of a budget are spent by choice; the rest is for what must always be kept."""
    return limit - max(2, limit // 20)


def decide_bodies(spent: BudgetSpent, sights: Sequence[BodyCandidate], limit: int) -> Mapping[str, Decision]:
    """Where the bodies of one fingerprint's events in a batch go, by their ids.

    Args:
        spent: what came before; it is not changed.
        sights: the batch's events of this fingerprint, at least one, in any order.
        limit: the incident's budget.
    """
    if 0 < spent.bodies <= limit // _OPENING_SHARE - len(sights):
        return dict.fromkeys((sight.event_id for sight in sights), _OPENING)
    ordered = sorted(sights, key=_when)
    draft = spent.copy()
    draft.count(ordered)
    decided: dict[str, Decision] = {}
    for sight in ordered:
        decision = decided[sight.event_id] = _decide(draft, sight, limit)
        if decision.body is _KEPT:
            draft.keep(sight)
    for event_id, edge in _edges(spent, ordered):
        if decided[event_id].body is not _KEPT:
            decided[event_id] = Decision(edge, decided[event_id].reason)
    return decided


def _when(sight: BodyCandidate) -> tuple[datetime, str]:
    return sight.at, sight.event_id


def _edges(spent: BudgetSpent, ordered: Sequence[BodyCandidate]) -> Iterable[tuple[str, Body]]:
    oldest, newest = ordered[0], ordered[-1]
    if spent.first_at is not None and oldest.at < spent.first_at:
        yield oldest.event_id, Body.FIRST
    if spent.last_at is None or newest.at >= spent.last_at:
        yield newest.event_id, Body.LAST


def _decide(spent: BudgetSpent, sight: BodyCandidate, limit: int) -> Decision:
    if spent.bodies == 0 or spent.kept_at is None or spent.first_at is None:
        return _FIRST
    if spent.bodies >= ceiling_of(limit):
        return _SPENT
    if spent.bodies < limit // _OPENING_SHARE:
        return _OPENING
    news = _news_in(sight, spent) if spent.bodies < limit * 3 // 4 else None
    return news or _by_age(sight.at - spent.kept_at, sight.at - spent.first_at)


def _news_in(sight: BodyCandidate, spent: BudgetSpent) -> Decision | None:
    if sight.release not in spent.releases and sight.release and len(spent.releases) < PLACES:
        return _NEW_RELEASE
    if sight.host not in spent.hosts and sight.host and len(spent.hosts) < PLACES:
        return _NEW_HOST
    return None


def _by_age(since: timedelta, age: timedelta) -> Decision:
    if since < _GAP_LEAST:  # in a flood nearly always
        return _TOO_SOON
    return _SPREAD if since >= min(max(age / _AGING, _GAP_LEAST), _GAP_MOST) else _TOO_SOON
