"""Operators' actions on silences: the one entry for command line, API, page and agents.

Each is told to the audit and to the silence's own history, in the transaction of what it changes.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.silence.draft import SilenceDraft, check_draft, times_of
from faultwire_consumer.domain.silence.foresight import (
    LOOKED_BACK,
    NOTIFICATIONS_MAX,
    Foresight,
    foresee,
)
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.silences.queries import get_silence, list_made
from faultwire_consumer.store.silences.record import (
    STANDING_MAX,
    SilenceAction,
    SilenceHistoryEntry,
    add_silence,
    add_silence_history,
    count_standing,
    lock_silence,
    release_held,
    set_end,
)
from faultwire_consumer.store.silences.stored import StoredSilence
from faultwire_shared.taxonomy import ConflictError, FieldError, NotFoundError, ValidationError

NOTE_CHARACTERS: Final = 500


class SilenceNotFoundError(NotFoundError):
    """No silence has that id."""

    code = "SILENCE_NOT_FOUND"


class SilenceConflictError(ConflictError):
    """The silence is not in a state for that."""

    code = "SILENCE_CONFLICT"


class SilenceActor(Struct, frozen=True, kw_only=True):
    """Somebody who acts, the time, and their words about it."""

    name: str
    """For the history; the audit has who showed a right to."""
    source: AuditSource
    at: datetime
    note: str = ""


async def try_silence(store: Store, draft: SilenceDraft, by: SilenceActor) -> tuple[StoredSilence, Foresight]:
    """Check a silence and make nothing: return what it would be, and what it would have hidden lately.

    Raises:
        ValidationError: a field cannot be.
    """
    silence = _checked(draft, by)
    made = await list_made(store, since=by.at - LOOKED_BACK, limit=NOTIFICATIONS_MAX)
    return silence, foresee(draft, made, now=by.at)


async def create_silence(store: Store, draft: SilenceDraft, by: SilenceActor) -> StoredSilence:
    """Make a silence; return it as it is kept.

    Raises:
        ValidationError: a field cannot be.
        SilenceConflictError: there are too many that are not over.
    """
    silence = _checked(draft, by)
    async with store.write() as tx:
        if await count_standing(tx, now=by.at) >= STANDING_MAX:
            raise SilenceConflictError(f"{STANDING_MAX} silences are not over; end some of them first")
        made = replace(silence, id=await add_silence(tx, silence))
        await _tell(tx, made.id, SilenceAction.CREATED, replace(by, note=by.note or silence.comment))
    return made


async def end_silence(store: Store, silence_id: int, by: SilenceActor) -> tuple[StoredSilence, bool]:
    """End a silence now: what it holds back is judged again. Return it, and False if it was over already.

    Raises:
        SilenceNotFoundError: there is none of that id.
    """
    async with store.write() as tx:
        silence = await _load(tx, silence_id)
        if silence.ended_at is not None or silence.ends_at <= by.at:
            return silence, False
        await set_end(tx, silence_id, at=by.at, by=by.name)
        await release_held(tx, silence_id, now=by.at)
        await _tell(tx, silence_id, SilenceAction.ENDED, by)
    return replace(silence, ended_at=by.at, ended_by=by.name), True


async def resume_silence(store: Store, silence_id: int, by: SilenceActor) -> tuple[StoredSilence, bool]:
    """Take the end of a silence back, until its own end. Return it, and False if nobody had ended it.

    Raises:
        SilenceNotFoundError: there is none of that id.
        SilenceConflictError: its own end has come, or too many others are not over.
    """
    async with store.write() as tx:
        silence = await _load(tx, silence_id)
        if silence.ends_at <= by.at:
            raise SilenceConflictError(f"silence {silence_id} is over: its end has come; make another one")
        if silence.ended_at is None:
            return silence, False
        if await count_standing(tx, now=by.at) >= STANDING_MAX:
            raise SilenceConflictError(f"{STANDING_MAX} silences are not over; end some of them first")
        await set_end(tx, silence_id, at=None, by=None)
        await _tell(tx, silence_id, SilenceAction.RESUMED, by)
    return replace(silence, ended_at=None, ended_by=None), True


async def load_silence(store: Store, silence_id: int) -> StoredSilence:
    """Load one silence.

    Raises:
        SilenceNotFoundError: there is none of that id.
    """
    silence = await get_silence(store, silence_id)
    if silence is None:
        raise unknown_silence(silence_id)
    return silence


def unknown_silence(silence_id: int | str) -> SilenceNotFoundError:
    """Build the error for an id without a silence."""
    return SilenceNotFoundError(f"there is no silence {silence_id}")


def _checked(draft: SilenceDraft, by: SilenceActor) -> StoredSilence:
    faults = check_draft(draft, now=by.at)
    if faults:
        raise ValidationError(errors=[FieldError(one.field, one.message) for one in faults])
    starts_at, ends_at = times_of(draft, now=by.at)
    return StoredSilence(
        id=0,
        matchers=draft.where,
        weekly=draft.weekly,
        starts_at=starts_at,
        ends_at=ends_at,
        also_critical=draft.also_critical,
        author=by.name,
        comment=draft.comment.strip(),
        created_at=by.at,
    )


async def _load(tx: Transaction, silence_id: int) -> StoredSilence:
    silence = await lock_silence(tx, silence_id)
    if silence is None:
        raise unknown_silence(silence_id)
    return silence


async def _tell(tx: Transaction, silence_id: int, action: SilenceAction, by: SilenceActor) -> None:
    note = by.note.strip()[:NOTE_CHARACTERS]
    entry = SilenceHistoryEntry(at=by.at, action=action.value, actor=by.name, note=note)
    await add_silence_history(tx, silence_id, entry)
    told = by.source.entry(AuditAction.ACTED, f"silences/{silence_id}", at=by.at, detail=action.value)
    await record_audit(tx, told)
