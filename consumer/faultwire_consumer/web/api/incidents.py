"""The API under ``/api/v1``: incidents and events as JSON."""

from typing import Any

import msgspec
from aiohttp import web

from faultwire_consumer.actions.incident import IncidentNotFoundError, load_incident
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.domain.report.comparison import comparison_report
from faultwire_consumer.domain.report.event import event_report
from faultwire_consumer.domain.report.incident import incident_report
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import list_events as list_page
from faultwire_consumer.store.events.messages import read_messages
from faultwire_consumer.store.events.neighbours import neighbours_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import incident_shape, shape
from faultwire_consumer.web.api.report_answer import (
    MARKDOWN,
    characters_of,
    markdown_answer,
)
from faultwire_consumer.web.api.whole_incident import incident_document, incident_response
from faultwire_consumer.web.kept import decoded, newest_event, readable
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import (
    OrderedIncidents,
    Paged,
    event_query,
    no_filter,
    ordered_incidents,
    paged,
)
from faultwire_consumer.web.request import (
    API_PREFIX,
    EventNotFoundError,
    cursor_errors,
    incident_id_of,
    json_answer,
    page_answer,
    unknown_event,
)
from faultwire_consumer.web.searched import bounds_of_query
from faultwire_consumer.web.state import CLOCK, SOURCES, STORE

routes = AccessRoutes()


@routes.get(f"{API_PREFIX}/incidents", access=AccessScope.READ)
@describe(reads=paged(ordered_incidents), answers=incident_shape.IncidentList)
async def list_incidents(request: web.Request, asked: Paged[OrderedIncidents]) -> web.Response:
    """Incidents by filter, in an order: the last seen first unless another is asked for."""
    store, now, wanted = request.app[STORE], request.app[CLOCK](), asked.wanted
    with cursor_errors():
        page = await incidents.list_incidents(
            store, wanted.query, limit=asked.limit, now=now, cursor=asked.cursor, order=wanted.order
        )
    rows = tuple(incident_shape.incident_shape(row) for row in page.rows)
    searched = await bounds_of_query(store, wanted.query)
    answer = incident_shape.IncidentList(incidents=rows, next_cursor=page.next_cursor, searched=searched)
    return page_answer(request, answer)


@routes.get(f"{API_PREFIX}/incidents/{{id}}", access=AccessScope.READ)
@describe(answers=incident_shape.IncidentDetail, raises=[IncidentNotFoundError])
async def show_incident(request: web.Request) -> web.Response:
    """One incident with its history; of one that was merged, the incident that has its events."""
    return await incident_response(request.app[STORE], incident_id_of(request), now=request.app[CLOCK]())


@routes.get(f"{API_PREFIX}/incidents/{{id}}/events", access=AccessScope.READ)
@describe(reads=paged(no_filter), answers=shape.EventList, raises=[IncidentNotFoundError])
async def list_incident_events(request: web.Request, asked: Paged[None]) -> web.Response:
    """The events of one incident, the newest first."""
    incident = await load_incident(request.app[STORE], incident_id_of(request))
    return await _events(request, any_of(Key.INCIDENT, [incident.id]), asked)


@routes.get(f"{API_PREFIX}/incidents/{{id}}/report", access=AccessScope.READ)
@describe(reads=characters_of, answers=MARKDOWN, raises=[IncidentNotFoundError])
async def report_incident(request: web.Request, most: int) -> web.Response:
    """One incident whole as Markdown, with the newest of its events that can be read."""
    incident_id, store = incident_id_of(request), request.app[STORE]
    incident = await incident_document(store, incident_id, now=request.app[CLOCK]())
    event = await newest_event(store, incident_id, now=request.app[CLOCK]())
    grouping = await event_queries.get_grouping(store, event.id) if event is not None else None
    report = incident_report(
        msgspec.to_builtins(incident),
        event_id=event.id if event is not None else None,
        event=decoded(event) if event is not None else None,
        parts=grouping.parts if grouping is not None else (),
        sources=request.app[SOURCES],
        most=most,
    )
    return markdown_answer(report)


@routes.get(f"{API_PREFIX}/events", access=AccessScope.READ)
@describe(reads=paged(event_query), answers=shape.EventList)
async def list_events(request: web.Request, asked: Paged[Query]) -> web.Response:
    """Events by filter, the newest first."""
    return await _events(request, asked.wanted, asked)


@routes.get(f"{API_PREFIX}/events/{{id}}", access=AccessScope.READ)
@describe(answers=shape.EventDocument, raises=[EventNotFoundError])
async def show_event(request: web.Request) -> web.Response:
    """One event as on the wire, with its incident."""
    event_id = request.match_info["id"]
    store = request.app[STORE]
    event = await event_queries.get_event(store, event_id)
    if event is None:
        raise unknown_event(event_id)
    kept = await event_queries.find_readable(store, event) if event.doc is None else None
    return web.Response(body=shape.event_document(event, kept), content_type="application/json")


@routes.get(f"{API_PREFIX}/events/{{id}}/neighbours", access=AccessScope.READ)
@describe(answers=shape.NeighboursShape, raises=[EventNotFoundError])
async def show_neighbours(request: web.Request) -> web.Response:
    """The events beside one in the order in which its incident's events occurred."""
    event_id, store = request.match_info["id"], request.app[STORE]
    event = await event_queries.get_event(store, event_id)
    if event is None:
        raise unknown_event(event_id)
    return json_answer(shape.neighbours_shape(event, await neighbours_of(store, event)))


@routes.get(f"{API_PREFIX}/events/{{id}}/grouping", access=AccessScope.READ)
@describe(answers=shape.GroupingShape, raises=[EventNotFoundError])
async def show_grouping(request: web.Request) -> web.Response:
    """The reason why an event is in its incident."""
    return json_answer(await _grouping_of(request, request.match_info["id"]))


@routes.get(f"{API_PREFIX}/events/{{id}}/report", access=AccessScope.READ)
@describe(reads=characters_of, answers=MARKDOWN, raises=[EventNotFoundError])
async def report_event(request: web.Request, most: int) -> web.Response:
    """One event as Markdown."""
    event_id, store = request.match_info["id"], request.app[STORE]
    stored = await event_queries.get_event(store, event_id)
    if stored is None:
        raise unknown_event(event_id)
    kept = await readable(store, stored)
    event = decoded(stored)
    instead = kept.id if event is None and kept.id != stored.id else None
    name, sources = incident_name(stored.incident_id), request.app[SOURCES]
    return markdown_answer(event_report(stored.id, name, event, kept=instead, sources=sources, most=most))


@routes.get(f"{API_PREFIX}/events/{{id}}/compare/{{other}}", access=AccessScope.READ)
@describe(reads=characters_of, answers=MARKDOWN, raises=[EventNotFoundError])
async def compare_events(request: web.Request, most: int) -> web.Response:
    """The reason why two events are in one incident, or are not, as Markdown."""
    first, second = [await _grouping_of(request, request.match_info[name]) for name in ("id", "other")]
    report = comparison_report(msgspec.to_builtins(first), msgspec.to_builtins(second), most=most)
    return markdown_answer(report)


async def _events(request: web.Request, query: Query, asked: Paged[Any]) -> web.Response:
    store, now = request.app[STORE], request.app[CLOCK]()
    with cursor_errors():
        page = await list_page(store, query, limit=asked.limit, now=now, cursor=asked.cursor)
    messages = await read_messages(store, page.rows)
    rows = tuple(shape.event_shape(row, messages.get(row.id)) for row in page.rows)
    searched = await bounds_of_query(store, query)
    answer = shape.EventList(events=rows, next_cursor=page.next_cursor, searched=searched)
    return page_answer(request, answer)


async def _grouping_of(request: web.Request, event_id: str) -> shape.GroupingShape:
    grouping = await event_queries.get_grouping(request.app[STORE], event_id)
    if grouping is None:
        raise unknown_event(event_id)
    return shape.grouping_shape(grouping)
