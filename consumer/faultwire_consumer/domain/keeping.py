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

    @property
    def keeps(self) -> bool:
        """Whether the body is kept with its event."""
        return self is not BodyReason.TOO_SOON and self is not BodyReason.SPENT


class Sight(Struct, frozen=True):
    """What the decision asks of an event."""

    event_id: str
    at: datetime
    """When it occurred."""
    release: str | None
    host: str | None


class Spent(Struct):
    """What is known of a fingerprint's events, and of what its incident's budget was spent on."""

    bodies: int = 0
    first_at: datetime | None = None
    """When the oldest event occurred; None while there is none."""
    last_at: datetime | None = None
    kept_at: datetime | None = None
    """When the newest one with a body occurred."""
    releases: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)

    def copy(self) -> "Spent":
        """The same, to be changed apart."""
        return Spent(
            self.bodies, self.first_at, self.last_at, self.kept_at, set(self.releases), set(self.hosts)
        )

    def note(self, sight: Sight, *, kept: bool) -> None:
        """Take an event into account."""
        at = sight.at
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        if kept:
            self.bodies += 1
            self.kept_at = at if self.kept_at is None else max(self.kept_at, at)
            for place, known in ((sight.release, self.releases), (sight.host, self.hosts)):
                if place and len(known) < PLACES:
                    known.add(place)


class Decision(Struct, frozen=True):
    """Where a body goes, and why it is kept with its event or is not."""

    body: Body
    reason: BodyReason


_OPENING: Final = Decision(Body.KEPT, BodyReason.OPENING)


def ceiling_of(limit: int) -> int:
    """How many of a budget are spent by choice; the rest is for what must always be kept."""
    return limit - max(2, limit // 20)


def decide_bodies(spent: Spent, sights: Sequence[Sight], limit: int) -> Mapping[str, Decision]:
    """Where the bodies of one fingerprint's events in a batch go, by their ids.

    Args:
        spent: what came before; it is not changed.
        sights: the batch's events of this fingerprint, at least one, in any order.
        limit: the incident's budget.
    """
    if 0 < spent.bodies <= limit // _OPENING_SHARE - len(sights):
        return dict.fromkeys((sight.event_id for sight in sights), _OPENING)
    draft = spent.copy()
    ordered = sorted(sights, key=_when)
    decided: dict[str, Decision] = {}
    for sight in ordered:
        reason = _reason(draft, sight, limit)
        draft.note(sight, kept=reason.keeps)
        decided[sight.event_id] = Decision(Body.KEPT if reason.keeps else Body.NONE, reason)
    for event_id, edge in _edges(spent, ordered):
        if decided[event_id].body is Body.NONE:
            decided[event_id] = Decision(edge, decided[event_id].reason)
    return decided


def _when(sight: Sight) -> tuple[datetime, str]:
    return sight.at, sight.event_id


def _edges(spent: Spent, ordered: Sequence[Sight]) -> Iterable[tuple[str, Body]]:
    oldest, newest = ordered[0], ordered[-1]
    if spent.first_at is not None and oldest.at < spent.first_at:
        yield oldest.event_id, Body.FIRST
    if spent.last_at is None or newest.at >= spent.last_at:
        yield newest.event_id, Body.LAST


def _reason(spent: Spent, sight: Sight, limit: int) -> BodyReason:
    if spent.bodies == 0 or spent.kept_at is None or spent.first_at is None:
        return BodyReason.FIRST
    if spent.bodies >= ceiling_of(limit):
        return BodyReason.SPENT
    if spent.bodies < limit // _OPENING_SHARE:
        return BodyReason.OPENING
    if spent.bodies < limit * 3 // 4:
        if _is_news(sight.release, spent.releases):
            return BodyReason.NEW_RELEASE
        if _is_news(sight.host, spent.hosts):
            return BodyReason.NEW_HOST
    gap = min(max((sight.at - spent.first_at) / _AGING, _GAP_LEAST), _GAP_MOST)
    return BodyReason.SPREAD if sight.at - spent.kept_at >= gap else BodyReason.TOO_SOON


def _is_news(place: str | None, known: set[str]) -> bool:
    return bool(place) and place not in known and len(known) < PLACES
