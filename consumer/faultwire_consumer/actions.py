"""What operators do to incidents and dead letters: the one door for command line, API and page."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from faultwire_consumer.domain.dead_letter import (
    DeadLetterChangeReason,
    DeadLetterStatus,
    ReplayOutcome,
    discard_refused,
    replay_refused,
)
from faultwire_consumer.domain.incident import NotPossible, Verb, decide
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, get_dead_letter
from faultwire_consumer.store.dead_letters.record import (
    DeadLetterChange,
    change_dead_letter,
    load_dead_letter_status,
)
from faultwire_consumer.store.events.incidents import Incident, get_incident
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
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


async def change_status(store: Store, incident_id: int, verb: Verb, *, actor: str, now: datetime) -> Incident:
    """Acknowledge, resolve or reopen; asking for what is so already changes nothing.

    Returns:
        The incident as it stands after it.

    Raises:
        IncidentNotFoundError: it does not exist.
        IncidentConflictError: its status does not allow the verb; the text says what would.
    """
    async with store.write() as tx:
        standing = await load_incident_state(tx, incident_id)
        if standing is None:
            raise unknown_incident(incident_id)
        decision = decide(
            verb,
            incident_id=incident_id,
            status=standing.status,
            episode=standing.episode,
            actor=actor,
            now=now,
        )
        if isinstance(decision, NotPossible):
            raise IncidentConflictError(f"{incident_name(incident_id)}: {decision.why}")
        if decision is not None:
            await apply_transitions(tx, [decision])
    return await load_incident(store, incident_id)


async def load_incident(store: Store, incident_id: int) -> Incident:
    """One incident.

    Raises:
        IncidentNotFoundError: it does not exist.
    """
    incident = await get_incident(store, incident_id)
    if incident is None:
        raise unknown_incident(incident_id)
    return incident


def unknown_incident(incident_id: int | str) -> IncidentNotFoundError:
    """What to raise where there is no incident of that id."""
    shown = incident_name(incident_id) if isinstance(incident_id, int) else incident_id
    return IncidentNotFoundError(f"there is no incident {shown}")


async def replay_dead_letter(
    store: Store,
    letter_id: int,
    ingest: Callable[[DeadLetterBody], Awaitable[ReplayOutcome]],
    *,
    actor: str,
    now: Clock,
    why: str = "",
) -> ReplayOutcome | None:
    """Put a dead letter through ingest again, then mark it; None where it was replayed before.

    Two transactions, the events' first: a replay that dies in between, or is asked for twice at
    once, meets its events as duplicates when it is repeated, and then marks.

    Raises:
        DeadLetterNotFoundError: it does not exist.
        DeadLetterConflictError: its body was cut.
        StoreUnavailableError: the store did not take it now; nothing was marked.
    """
    letter = await load_dead_letter(store, letter_id)
    if letter.status is DeadLetterStatus.REPLAYED:
        return None
    check_replay(letter)
    attempt = await ingest(letter)
    async with store.write() as tx:
        status = await load_dead_letter_status(tx, letter_id)
        if status is None or status is DeadLetterStatus.REPLAYED:
            return attempt
        change = DeadLetterChange(
            dead_letter_id=letter_id,
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
    store: Store, letter_id: int, *, actor: str, now: datetime, why: str = ""
) -> bool:
    """Mark a dead letter as not wanted; its body stays. Whether that is new.

    Raises:
        DeadLetterNotFoundError: it does not exist.
        DeadLetterConflictError: it was replayed.
    """
    async with store.write() as tx:
        status = await load_dead_letter_status(tx, letter_id)
        if status is None:
            raise unknown_dead_letter(letter_id)
        if status is DeadLetterStatus.DISCARDED:
            return False
        check_discard(letter_id, status)
        change = DeadLetterChange(
            dead_letter_id=letter_id,
            at=now,
            actor=actor,
            reason=DeadLetterChangeReason.DISCARDED,
            detail=why,
            before=status,
            after=DeadLetterStatus.DISCARDED,
        )
        await change_dead_letter(tx, change)
    return True


def check_replay(letter: DeadLetterBody) -> None:
    """See that a dead letter can be replayed.

    Raises:
        DeadLetterConflictError: its body was cut.
    """
    refused = replay_refused(letter.size, len(letter.body))
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {letter.id}: {refused}")


def check_discard(letter_id: int, status: DeadLetterStatus) -> None:
    """See that a dead letter can be discarded.

    Raises:
        DeadLetterConflictError: it was replayed.
    """
    refused = discard_refused(status)
    if refused is not None:
        raise DeadLetterConflictError(f"dead letter {letter_id}: {refused}")


async def load_dead_letter(store: Store, letter_id: int) -> DeadLetterBody:
    """One dead letter.

    Raises:
        DeadLetterNotFoundError: it does not exist.
    """
    letter = await get_dead_letter(store, letter_id)
    if letter is None:
        raise unknown_dead_letter(letter_id)
    return letter


def unknown_dead_letter(letter_id: int | str) -> DeadLetterNotFoundError:
    """What to raise where there is no dead letter of that id."""
    return DeadLetterNotFoundError(f"there is no dead letter {letter_id}")
