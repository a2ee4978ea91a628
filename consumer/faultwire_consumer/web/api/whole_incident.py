"""One incident whole, as reading it and every verb answer."""

import asyncio

from aiohttp import web

from faultwire_consumer.actions import load_incident
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events import incidents
from faultwire_consumer.web.api import shape
from faultwire_consumer.web.request import json_answer


async def incident_response(store: Store, incident_id: int) -> web.Response:
    """Return one incident whole; of one that was merged, the incident that has its events."""
    return json_answer(await incident_document(store, incident_id))


async def incident_document(store: Store, incident_id: int) -> shape.IncidentDetail:
    """Read one incident whole; of one that was merged, the incident that has its events."""
    incident = await load_incident(store, incident_id)
    history, places, merged = await asyncio.gather(
        incidents.list_history(store, incident.id),
        incidents.list_places(store, incident.id),
        incidents.list_merged(store, incident.id),
    )
    return shape.incident_detail(incident, places=places, history=history, merged=merged)
