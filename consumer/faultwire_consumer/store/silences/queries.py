"""Silences as operators read them: lists, one with its history, and what it hid."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, and_, func, or_, select

from faultwire_consumer.domain.notification import RECOVERIES
from faultwire_consumer.domain.silence.foresight import MadeNotification
from faultwire_consumer.domain.silence.matcher import read_facts
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import outbox, silence_history, silence_hits, silences
from faultwire_consumer.store.silences.hits import OTHERS
from faultwire_consumer.store.silences.record import SilenceHistoryEntry
from faultwire_consumer.store.silences.stored import COLUMNS, StoredSilence, stored_from
from faultwire_shared.event import ErrorSeverity

HISTORY_MAX: Final = 100
_LISTING: Final = "silences"
_HISTORY: Final = tuple(silence_history.c[name] for name in SilenceHistoryEntry.__struct_fields__)


class SilencePhase(StrEnum):
    """The part of its time that a silence is in."""

    CURRENT = "current"
    """It has begun, and is not over; one that recurs may be between two windows."""
    COMING = "coming"
    PAST = "past"
    """Its end has come, or somebody ended it."""


class SilenceHit(Struct, frozen=True, kw_only=True):
    """The sum of what a silence hid of one incident, or of all others together."""

    incident_id: int | None
    """None: of all that are not counted apart."""
    title: str | None
    """None where the incident is gone."""
    notifications: int
    first_at: datetime
    last_at: datetime


async def get_silence(store: Store, silence_id: int) -> StoredSilence | None:
    """Return one silence."""
    rows = await store.read(select(*COLUMNS).where(silences.c.id == silence_id))
    return stored_from(rows[0]) if rows else None


async def list_silences(
    store: Store,
    phases: Sequence[SilencePhase],
    *,
    now: datetime,
    limit: int,
    cursor: str | None = None,
) -> Page[StoredSilence]:
    """List the silences of some phases, or of all if none is named, the newest first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    statement = select(*COLUMNS)
    if phases:
        statement = statement.where(or_(*(_is_in(phase, now) for phase in phases)))
    if cursor is not None:
        statement = statement.where(silences.c.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(silences.c.id.desc()).limit(limit + 1))
    found = [stored_from(row) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="created_at", key="id")


async def list_hits(store: Store, silence_id: int, *, limit: int) -> tuple[SilenceHit, ...]:
    """List what a silence hid, by incident, most first; what is counted together comes last."""
    hit = silence_hits.c
    rows = await store.read(
        select(hit.incident_id, hit.notifications, hit.first_at, hit.last_at, incidents.c.title)
        .join_from(silence_hits, incidents, incidents.c.id == hit.incident_id, isouter=True)
        .where(hit.silence_id == silence_id)
        .order_by(hit.incident_id == OTHERS, hit.notifications.desc(), hit.incident_id)
        .limit(limit)
    )
    return tuple(SilenceHit(**values_of(row) | {"incident_id": row.incident_id or None}) for row in rows)


async def count_hit_incidents(store: Store, ids: Sequence[int]) -> dict[int, int]:
    """Count the incidents of which each silence hid something, up to `INCIDENTS_MAX`."""
    if not ids:
        return {}
    hit = silence_hits.c
    rows = await store.read(
        select(hit.silence_id, func.count().label("total"))
        .where(hit.silence_id.in_(ids), hit.incident_id != OTHERS)
        .group_by(hit.silence_id)
    )
    return {row.silence_id: row.total for row in rows}


async def list_made(store: Store, *, since: datetime, limit: int) -> list[MadeNotification]:
    """List the newest notifications with what silences are matched with, the newest first.

    Recovery notices are none of them: no silence keeps those back.
    """
    known = (
        outbox.c.facts.is_not(None),
        outbox.c.incident_id.is_not(None),
        outbox.c.created_at >= since,
        outbox.c.reason.not_in(sorted(RECOVERIES)),
    )
    rows = await store.read(
        select(outbox.c.incident_id, outbox.c.created_at, outbox.c.severity, outbox.c.facts)
        .where(*known)
        .order_by(outbox.c.id.desc())
        .limit(limit)
    )
    made = []
    for row in rows:
        with suppress(msgspec.MsgspecError):  # a later release may write them otherwise
            facts = read_facts(row.facts, ErrorSeverity.from_rank(row.severity))
            made.append(MadeNotification(incident_id=row.incident_id, created_at=row.created_at, facts=facts))
    return made


async def list_silence_history(store: Store, silence_id: int) -> tuple[SilenceHistoryEntry, ...]:
    """List what was done to a silence, the newest first."""
    rows = await store.read(
        select(*_HISTORY)
        .where(silence_history.c.silence_id == silence_id)
        .order_by(silence_history.c.id.desc())
        .limit(HISTORY_MAX)
    )
    return tuple(SilenceHistoryEntry(**values_of(row)) for row in rows)


def _is_in(phase: SilencePhase, now: datetime) -> ColumnElement[bool]:
    silence = silences.c
    stands = and_(silence.ended_at.is_(None), silence.ends_at > now)
    if phase is SilencePhase.PAST:
        return or_(silence.ended_at.is_not(None), silence.ends_at <= now)
    begun = silence.starts_at <= now
    return and_(stands, begun if phase is SilencePhase.CURRENT else ~begun)
