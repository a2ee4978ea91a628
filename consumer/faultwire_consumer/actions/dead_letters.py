"""Operators' actions on dead letters: the one entry for command line, API and page, beside `actions`."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime

from msgspec.structs import replace

from faultwire_consumer.domain.dead_letter import (
    DeadLetterChangeReason,
    DeadLetterStatus,
    ReplayOutcome,
    age_accepted,
    discard_refused,
    edit_refused,
    replay_refused,
)
from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, get_dead_letter
from faultwire_consumer.store.dead_letters.record import (
    DeadLetterChange,
    change_dead_letter,
    load_dead_letter_status,
)
from faultwire_shared.clock import Clock
from faultwire_shared.taxonomy import ConflictError, NotFoundError


class DeadLetterNotFoundError(NotFoundError):
    """No dead letter has that id."""

    code = "DEAD_LETTER_NOT_FOUND"


class DeadLetterConflictError(ConflictError):
    """The verb does not fit the dead letter."""

    code = "DEAD_LETTER_CONFLICT"


async def replay_dead_letter(
    store: Store,
    dead_letter_id: int,
    ingest: Callable[[DeadLetterBody], Awaitable[ReplayOutcome]],
    *,
    actor: str,
    now: Clock,
    why: str = "",
    accept_old: bool = False,
) -> ReplayOutcome | None:
    """Put a dead letter through ingest again, then mark it; None if it was replayed before.

    With ``accept_old``, an event that retention refused for its day comes under an id of today. That id
    is written down first, so that a replay that is repeated finds its event to be a duplicate.

    Two transactions, the events' first: a replay that dies in between, or is requested twice at
    once, finds its events to be duplicates when it is repeated, and then marks.

    Raises:
        DeadLetterNotFoundError: it does not exist.
        DeadLetterConflictError: its body was cut.
        StoreUnavailableError: the store cannot take it now; nothing was marked.
    """
    dead_letter = await load_dead_letter(store, dead_letter_id)
    if dead_letter.status is DeadLetterStatus.REPLAYED:
        return None
    check_replay(dead_letter)
    if accept_old:
        dead_letter = await _accept_old(store, dead_letter, actor=actor, now=now())
    attempt = await ingest(dead_letter)
    async with store.write() as tx:
        status = await load_dead_letter_status(tx, dead_letter_id)
        if status is None or status is DeadLetterStatus.REPLAYED:
            return attempt
        change = DeadLetterChange(
            dead_letter_id=dead_letter_id,
            at=now(),
            actor=actor,
            reason=DeadLetterChangeReason.REPLAYED
            if attempt.is_kept
            else DeadLetterChangeReason.REPLAY_FAILED,
            detail="; ".join(text for text in (why, attempt.detail) if text),
            before=status,
            after=DeadLetterStatus.REPLAYED if attempt.is_kept else status,
        )
        await change_dead_letter(tx, change)
    return attempt


async def discard_dead_letter(
    store: Store, dead_letter_id: int, *, actor: str, now: datetime, why: str = ""
) -> bool:
    """Mark a dead letter as not wanted; its body stays. Return True if that changes anything.

    Raises:
        DeadLetterNotFoundError: it does not exist.
        DeadLetterConflictError: it was replayed.
    """
    async with store.write() as tx:
        status = await load_dead_letter_status(tx, dead_letter_id)
        if status is None:
            raise unknown_dead_letter(dead_letter_id)
        if status is DeadLetterStatus.DISCARDED:
            return False
        check_discard(dead_letter_id, status)
        change = DeadLetterChange(
            dead_letter_id=dead_letter_id,
            at=now,
            actor=actor,
            reason=DeadLetterChangeReason.DISCARDED,
            detail=why,
            before=status,
            after=DeadLetterStatus.DISCARDED,
        )
        await change_dead_letter(tx, change)
    return True


async def edit_dead_letter(
    store: Store, dead_letter_id: int, body: bytes, *, actor: str, now: datetime, why: str = ""
) -> None:
    """Correct a dead letter: from now on this body is replayed. The one that arrived stays as it is.

    Raises:
        DeadLetterNotFoundError: it does not exist.
        DeadLetterConflictError: it was replayed, or the body is empty or too large.
    """
    async with store.write() as tx:
        status = await load_dead_letter_status(tx, dead_letter_id)
        if status is None:
            raise unknown_dead_letter(dead_letter_id)
        check_edit(dead_letter_id, status, body)
        change = DeadLetterChange(
            dead_letter_id=dead_letter_id,
            at=now,
            actor=actor,
            reason=DeadLetterChangeReason.EDITED,
            detail=why,
            before=status,
            after=status,
            edited_body=body,
        )
        await change_dead_letter(tx, change)


def with_today_s_id(dead_letter: DeadLetterBody, *, today: date) -> tuple[DeadLetterBody, str]:
    """Return a dead letter as ``accept_old`` replays it, and what was changed; empty for nothing.

    Only an event that retention refused, and that was not accepted before, gets another id.
    """
    if dead_letter.reason != StoreReason.PAST_RETENTION:
        return dead_letter, ""
    accepted = age_accepted(dead_letter.replayed_body, today=today)
    if accepted is None:
        return dead_letter, ""
    body, old, new = accepted
    return replace(dead_letter, edited_body=body), f"accepted though it is old: {old[:100]} became {new}"


async def _accept_old(
    store: Store, dead_letter: DeadLetterBody, *, actor: str, now: datetime
) -> DeadLetterBody:
    accepted, changed = with_today_s_id(dead_letter, today=now.date())
    if not changed:
        return dead_letter
    body = accepted.replayed_body
    await edit_dead_letter(store, dead_letter.id, body, actor=actor, now=now, why=changed)
    return accepted


def check_replay(dead_letter: DeadLetterBody) -> None:
    """Make sure that a dead letter can be replayed.

    Raises:
        DeadLetterConflictError: its body was cut.
    """
    refused = replay_refused(
        dead_letter.size, len(dead_letter.body), is_edited=dead_letter.edited_body is not None
    )
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {dead_letter.id}: {refused}")


def check_edit(dead_letter_id: int, status: DeadLetterStatus, body: bytes) -> None:
    """Make sure that a dead letter can get that body.

    Raises:
        DeadLetterConflictError: it was replayed, or the body is empty or too large.
    """
    refused = edit_refused(status, body)
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {dead_letter_id}: {refused}")


def check_discard(dead_letter_id: int, status: DeadLetterStatus) -> None:
    """Make sure that a dead letter can be discarded.

    Raises:
        DeadLetterConflictError: it was replayed.
    """
    refused = discard_refused(status)
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {dead_letter_id}: {refused}")


async def load_dead_letter(store: Store, dead_letter_id: int) -> DeadLetterBody:
    """Load one dead letter.

    Raises:
        DeadLetterNotFoundError: it does not exist.
    """
    dead_letter = await get_dead_letter(store, dead_letter_id)
    if dead_letter is None:
        raise unknown_dead_letter(dead_letter_id)
    return dead_letter


def unknown_dead_letter(dead_letter_id: int | str) -> DeadLetterNotFoundError:
    """Build the error for an id without a dead letter."""
    return DeadLetterNotFoundError(f"there is no dead letter {dead_letter_id}")
