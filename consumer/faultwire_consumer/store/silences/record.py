"""Silences as they are made and ended, and those that may hide notifications now."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import and_, func, insert, select, update

from faultwire_consumer.domain.sending import NotificationState, StageReason
from faultwire_consumer.domain.silence.matcher import encode_matchers
from faultwire_consumer.domain.silence.silence import Silence
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.notify import outbox, silence_history, silences
from faultwire_consumer.store.silences.stored import COLUMNS, StoredSilence, stored_from
from faultwire_shared.text import storable

STANDING_MAX: Final = 200
"""Silences that are not over: each claim judges up to a thousand notifications by each of them."""


class SilenceAction(StrEnum):
    """A thing that is done to a silence."""

    CREATED = "created"
    ENDED = "ended"
    RESUMED = "resumed"


class SilenceHistoryEntry(Struct, frozen=True, kw_only=True):
    """One thing that was done to a silence."""

    at: datetime
    action: str
    actor: str
    note: str


async def add_silence(tx: Transaction, silence: StoredSilence) -> int:
    """Keep a new silence, and return its id."""
    (row,) = await tx.execute(
        insert(silences)
        .values(
            matchers=encode_matchers(silence.matchers),
            weekly=msgspec.json.encode(silence.weekly).decode(),
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            also_critical=silence.also_critical,
            author=storable(silence.author),
            comment=storable(silence.comment),
            created_at=silence.created_at,
            hits=0,
        )
        .returning(silences.c.id)
    )
    return int(row.id)


async def lock_silence(tx: Transaction, silence_id: int) -> StoredSilence | None:
    """Load and lock one silence."""
    rows = await tx.execute(select(*COLUMNS).where(silences.c.id == silence_id).with_for_update())
    return stored_from(rows[0]) if rows else None


async def set_end(tx: Transaction, silence_id: int, *, at: datetime | None, by: str | None) -> None:
    """End a silence at a moment, or take that back."""
    await tx.execute(update(silences).where(silences.c.id == silence_id).values(ended_at=at, ended_by=by))


async def release_held(tx: Transaction, silence_id: int, *, now: datetime) -> None:
    """Have notifications that a silence holds back judged again at once."""
    held = and_(
        outbox.c.silence_id == silence_id,
        outbox.c.state == NotificationState.WAITING.value,
        outbox.c.state_reason == StageReason.SILENCED.value,
    )
    await tx.execute(update(outbox).where(held).values(due_at=now))


async def add_silence_history(tx: Transaction, silence_id: int, entry: SilenceHistoryEntry) -> None:
    """Write down what was done to a silence."""
    await tx.execute(
        insert(silence_history).values(
            silence_id=silence_id,
            at=entry.at,
            action=entry.action,
            actor=storable(entry.actor),
            note=storable(entry.note),
        )
    )


async def count_standing(tx: Transaction, *, now: datetime) -> int:
    """Count the silences that are not over."""
    (row,) = await tx.execute(
        select(func.count().label("total")).where(silences.c.ended_at.is_(None), silences.c.ends_at > now)
    )
    return int(row.total)


async def load_active(tx: Transaction, *, now: datetime) -> list[Silence]:
    """Load the silences that have begun and are not over, the oldest first.

    One that a later release wrote, and this one cannot read, hides nothing here.
    """
    rows = await tx.execute(
        select(*COLUMNS)
        .where(silences.c.ends_at > now, silences.c.starts_at <= now, silences.c.ended_at.is_(None))
        .order_by(silences.c.id)
        .limit(2 * STANDING_MAX)  # some more, where several were made at one time
    )
    found = []
    for row in rows:
        try:
            found.append(stored_from(row).judged)
        except msgspec.MsgspecError:
            continue
    return found
