"""The API under ``/api/v1``: incidents and events as JSON."""

import asyncio

import msgspec
from aiohttp import web

from faultwire_consumer.actions import change_status, load_incident
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import list_events as list_page
from faultwire_consumer.web.api import shape
from faultwire_consumer.web.parameter import event_query, incident_query
from faultwire_consumer.web.request import (
    API_ACTOR,
    API_PREFIX,
    check_text,
    cursor_errors,
    incident_id_of,
    json_answer,
    page_answer,
    read_change,
    read_parameters,
    unknown_event,
)
from faultwire_consumer.web.state import CLOCK, STORE

routes = web.RouteTableDef()


class StatusChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a change of status; it may be missing."""

    actor: str = API_ACTOR
    """Who asks, as the history keeps it. It is a claim: nobody has to log in yet."""


@routes.get(f"{API_PREFIX}/incidents")
async def list_incidents(request: web.Request) -> web.Response:
    """Incidents by filter, the last seen first."""
    parameters = read_parameters(request)
    query, limit, cursor = incident_query(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await incidents.list_incidents(
            request.app[STORE], query, limit=limit, now=request.app[CLOCK](), cursor=cursor
        )
    rows = tuple(shape.incident_shape(row) for row in page.rows)
    return page_answer(request, shape.IncidentList(incidents=rows, next_cursor=page.next_cursor))


@routes.get(f"{API_PREFIX}/incidents/{{id}}")
async def show_incident(request: web.Request) -> web.Response:
    """One incident with its history."""
    return await _incident_response(request, incident_id_of(request))


@routes.get(f"{API_PREFIX}/incidents/{{id}}/events")
async def list_incident_events(request: web.Request) -> web.Response:
    """The events of one incident, the newest first."""
    incident = await load_incident(request.app[STORE], incident_id_of(request))
    parameters = read_parameters(request)
    limit, cursor = parameters.limit(), parameters.cursor()
    parameters.finish()
    return await _events(request, any_of(Key.INCIDENT, [incident.id]), limit, cursor)


async def _change(request: web.Request, verb: Verb) -> web.Response:
    incident_id = incident_id_of(request)
    actor = await _read_actor(request)
    now = request.app[CLOCK]()
    await change_status(request.app[STORE], incident_id, verb, actor=actor, now=now)
    return await _incident_response(request, incident_id)


@routes.post(f"{API_PREFIX}/incidents/{{id}}/acknowledge")
async def acknowledge(request: web.Request) -> web.Response:
    """Say that somebody looks after it."""
    return await _change(request, Verb.ACKNOWLEDGE)


@routes.post(f"{API_PREFIX}/incidents/{{id}}/resolve")
async def resolve(request: web.Request) -> web.Response:
    """Say that it is mended; what occurs from now on is a regression."""
    return await _change(request, Verb.RESOLVE)


@routes.post(f"{API_PREFIX}/incidents/{{id}}/reopen")
async def reopen(request: web.Request) -> web.Response:
    """Take an acknowledge or resolve back."""
    return await _change(request, Verb.REOPEN)


@routes.get(f"{API_PREFIX}/events")
async def list_events(request: web.Request) -> web.Response:
    """Events by filter, the newest first."""
    parameters = read_parameters(request)
    query, limit, cursor = event_query(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    return await _events(request, query, limit, cursor)


@routes.get(f"{API_PREFIX}/events/{{id}}")
async def show_event(request: web.Request) -> web.Response:
    """One event as on the wire, with its incident."""
    event_id = request.match_info["id"]
    store = request.app[STORE]
    event = await event_queries.get_event(store, event_id)
    if event is None:
        raise unknown_event(event_id)
    kept = await event_queries.find_readable(store, event) if event.doc is None else None
    return web.Response(body=shape.event_document(event, kept), content_type="application/json")


@routes.get(f"{API_PREFIX}/events/{{id}}/grouping")
async def show_grouping(request: web.Request) -> web.Response:
    """The reason why an event is in its incident."""
    event_id = request.match_info["id"]
    grouping = await event_queries.get_grouping(request.app[STORE], event_id)
    if grouping is None:
        raise unknown_event(event_id)
    return json_answer(shape.grouping_shape(grouping))


async def _events(request: web.Request, query: Query, limit: int, cursor: str | None) -> web.Response:
    now = request.app[CLOCK]()
    with cursor_errors():
        page = await list_page(request.app[STORE], query, limit=limit, now=now, cursor=cursor)
    rows = tuple(shape.event_shape(row) for row in page.rows)
    return page_answer(request, shape.EventList(events=rows, next_cursor=page.next_cursor))


async def _incident_response(request: web.Request, incident_id: int) -> web.Response:
    store = request.app[STORE]
    incident = await load_incident(store, incident_id)
    history, places = await asyncio.gather(
        incidents.list_history(store, incident_id), incidents.list_places(store, incident_id)
    )
    return json_answer(shape.incident_detail(incident, places=places, history=history))


async def _read_actor(request: web.Request) -> str:
    return check_text("actor", (await read_change(request, StatusChange)).actor, least=1, most=100)
