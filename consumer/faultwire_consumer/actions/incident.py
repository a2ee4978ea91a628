"""Incidents as operators' verbs find them, and the errors that a verb may meet."""

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.incidents import Incident, get_incident
from faultwire_consumer.store.events.merging import find_holder
from faultwire_shared.taxonomy import ConflictError, NotFoundError


class IncidentNotFoundError(NotFoundError):
    """No incident has that id."""

    code = "INCIDENT_NOT_FOUND"


class IncidentConflictError(ConflictError):
    """The verb does not fit the incident's status."""

    code = "INCIDENT_CONFLICT"


async def load_incident(store: StoreReader, incident_id: int) -> Incident:
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
