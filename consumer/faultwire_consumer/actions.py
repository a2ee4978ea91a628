"""What operators do to incidents: the one door for command line, API and page."""

from datetime import datetime
from typing import Final

from faultwire_consumer.domain.incident import NotPossible, Verb, decide
from faultwire_consumer.store.contract import Store
from faultwire_consumer.store.queries import Incident, get_incident
from faultwire_consumer.store.transition import apply_transitions, load_standing
from faultwire_shared.taxonomy import ConflictError, NotFoundError

ID_PREFIX: Final = "INC-"


class IncidentNotFoundError(NotFoundError):
    """No incident has that id."""

    code = "INCIDENT_NOT_FOUND"


class IncidentConflictError(ConflictError):
    """The verb does not fit the incident's status."""

    code = "INCIDENT_CONFLICT"


async def change_status(store: Store, incident_id: int, verb: Verb, *, actor: str, now: datetime) -> Incident:
    """Acknowledge, resolve or reopen; asking for what is so already changes nothing.

    Returns:
        The incident as it stands after it.

    Raises:
        IncidentNotFoundError: it does not exist.
        IncidentConflictError: its status does not allow the verb; the text says what would.
    """
    async with store.write() as tx:
        standing = await load_standing(tx, incident_id)
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
            raise IncidentConflictError(f"{ID_PREFIX}{incident_id}: {decision.why}")
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
    shown = f"{ID_PREFIX}{incident_id}" if isinstance(incident_id, int) else incident_id
    return IncidentNotFoundError(f"there is no incident {shown}")
