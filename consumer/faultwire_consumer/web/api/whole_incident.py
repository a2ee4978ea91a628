"""One incident whole, as reading it and every verb answer."""

from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from faultwire_consumer.actions.incident import load_incident
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.figures.reading import read_figures
from faultwire_consumer.web.api import incident_shape
from faultwire_consumer.web.request import json_answer

_HOURS: Final = 24
"""The hours of its trend."""


async def incident_response(store: Store, incident_id: int, *, now: datetime) -> web.Response:
    """Return one incident whole; of one that was merged, the incident that has its events."""
    return json_answer(await incident_document(store, incident_id, now=now))


async def incident_document(
    store: Store, incident_id: int, *, now: datetime
) -> incident_shape.IncidentDetail:
    """Read one incident whole; of one that was merged, the incident that has its events."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=_HOURS - 1)
    async with store.reading() as reader:
        incident = await load_incident(reader, incident_id)
        counts = await incidents.count_by_hour(reader, incident.id, since=first)
        return incident_shape.incident_detail(
            incident,
            environments=await incidents.list_environments(reader, incident.id),
            figures=await read_figures(reader, incident.id),
            hours=tuple(counts.get(first + timedelta(hours=offset), 0) for offset in range(_HOURS)),
            history=await incidents.list_history(reader, incident.id),
            merged=await incidents.list_merged(reader, incident.id),
        )
