"""Operators' actions on dead letters, and what they share with those on incidents: see `incident_actions`."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from faultwire_consumer.domain.dead_letter import (
    DeadLetterChangeReason,
    DeadLetterStatus,
    ReplayOutcome,
    discard_refused,
    replay_refused,
)
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, get_dead_letter
from faultwire_consumer.store.dead_letters.record import (
    DeadLetterChange,
    change_dead_letter,
    load_dead_letter_status,
)
from faultwire_consumer.store.events.incidents import Incident, get_incident
from faultwire_consumer.store.events.merging import find_holder
from faultwire_shared.clock import Clock
from faultwire_shared.taxonomy import ConflictError, NotFoundError


class IncidentNotFoundError(NotFoundError):
    """No incident has that id."""

    code = "INCIDENT_NOT_FOUND"


class IncidentConflictError(ConflictError):
    """The verb does not fit the incident's status."""

    code = "INCIDENT_CONFLICT"


class DeadLetterNotFoundError(NotFoundError):
    """No dead letter has that id."""

    code = "DEAD_LETTER_NOT_FOUND"


class DeadLetterConflictError(ConflictError):
    """The verb does not fit the dead letter."""

    code = "DEAD_LETTER_CONFLICT"


async def load_incident(store: Store, incident_id: int) -> Incident:
    """Load one incident; of one that was merged, the incident that has its events now.

    Raises:
        IncidentNotFoundError: it does not exist.
    """
    incident = await get_incident(store, incident_id)
    if incident is None:
        holder = await find_holder(store, incident_id)
        incident = await get_incident(store, holder) if holder is not None else None
    if incident is None:
        raise unknown_incident(incident_id)
    return incident


def unknown_incident(incident_id: int | str) -> IncidentNotFoundError:
    """Build the error for an id without an incident."""
    shown = incident_name(incident_id) if isinstance(incident_id, int) else incident_id
    return IncidentNotFoundError(f"there is no incident {shown}")


async def replay_dead_letter(
    store: Store,
    dead_letter_id: int,
    ingest: Callable[[DeadLetterBody], Awaitable[ReplayOutcome]],
    *,
    actor: str,
    now: Clock,
    why: str = "",
) -> ReplayOutcome | None:
    """Put a dead letter through ingest again, then mark it; None if it was replayed before.

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


def check_replay(dead_letter: DeadLetterBody) -> None:
    """Make sure that a dead letter can be replayed.

    Raises:
        DeadLetterConflictError: its body was cut.
    """
    refused = replay_refused(dead_letter.size, len(dead_letter.body))
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {dead_letter.id}: {refused}")


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
