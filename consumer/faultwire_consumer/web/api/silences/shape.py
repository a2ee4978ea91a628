"""The API's documents of silences, field by field."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.silence.foresight import Foresight
from faultwire_consumer.domain.silence.matcher import Matchers, describe_matchers
from faultwire_consumer.domain.silence.silence import SilenceState, changes_at, state_of
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, describe_window
from faultwire_consumer.store.silences.queries import SilenceHit
from faultwire_consumer.store.silences.record import SilenceHistoryEntry
from faultwire_consumer.store.silences.stored import StoredSilence

_PAST = (SilenceState.OVER, SilenceState.ENDED)


class SilenceShape(Struct, frozen=True, kw_only=True):
    """A silence in a list."""

    id: int
    """0 in the answer to a dry run."""
    state: str
    """What it does now: active, coming, resting between two windows, over, or ended by somebody."""
    changes_at: datetime | None
    """When that changes; null where it is past."""
    where: Matchers
    weekly: tuple[WeeklyWindow, ...]
    described: str
    """Its matchers and windows in words."""
    starts_at: datetime
    ends_at: datetime
    also_critical: bool
    author: str
    comment: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    hits: int
    """Notifications that it stopped or held back."""
    last_hit_at: datetime | None


class HiddenShape(Struct, frozen=True, kw_only=True):
    """The sum of what a silence hid of one incident."""

    incident_id: str | None
    """Null: of all incidents that are not counted apart."""
    title: str | None
    notifications: int
    first_at: datetime
    last_at: datetime


class SilenceDetail(SilenceShape, frozen=True, kw_only=True):
    """One silence with what it hid, most first, and what was done to it."""

    hidden: tuple[HiddenShape, ...]
    history: tuple[SilenceHistoryEntry, ...]


class SilenceList(Struct, frozen=True, kw_only=True):
    """A page of silences."""

    silences: tuple[SilenceShape, ...]
    next_cursor: str | None


class SilenceAnswer(Struct, frozen=True, kw_only=True):
    """The outcome for a silence."""

    outcome: str
    """created, ended, resumed or unchanged; would_create in a dry run."""
    silence: SilenceShape
    foreseen: Foresight | None = None
    """Of a dry run."""


def silence_shape(silence: StoredSilence, now: datetime) -> SilenceShape:
    """Return a silence for a list."""
    return SilenceShape(**_fields(silence, now))


def silence_detail(
    silence: StoredSilence,
    now: datetime,
    *,
    hidden: Sequence[SilenceHit],
    history: tuple[SilenceHistoryEntry, ...],
) -> SilenceDetail:
    """Return one silence whole."""
    return SilenceDetail(
        **_fields(silence, now), hidden=tuple(_hidden(one) for one in hidden), history=history
    )


def _fields(silence: StoredSilence, now: datetime) -> dict[str, Any]:
    judged = silence.judged
    state = state_of(judged, now)
    windows = [describe_window(window) for window in silence.weekly]
    own = (name for name in SilenceShape.__struct_fields__ if name in StoredSilence.__struct_fields__)
    return {name: getattr(silence, name) for name in own} | {
        "state": state.value,
        "changes_at": None if state in _PAST else changes_at(judged, now),
        "where": silence.matchers,
        "described": "; ".join((describe_matchers(silence.matchers), *windows)),
    }


def _hidden(hit: SilenceHit) -> HiddenShape:
    return HiddenShape(
        incident_id=None if hit.incident_id is None else incident_name(hit.incident_id),
        title=hit.title,
        notifications=hit.notifications,
        first_at=hit.first_at,
        last_at=hit.last_at,
    )
