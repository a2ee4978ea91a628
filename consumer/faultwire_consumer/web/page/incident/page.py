"""One incident with an event of it, the newest or the one that was asked for; and two events compared."""

import asyncio
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.actions.incident import load_incident
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident_name import incident_name, parse_incident_id
from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.domain.report.comparison import difference
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.incident.asked import PageAsked, read_asked
from faultwire_consumer.web.page.incident.reading import read_material
from faultwire_consumer.web.page.incident.view import IncidentView, LinksOut, view_incident
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, incident_id_of, read_parameters, unknown_event
from faultwire_consumer.web.state import CLOCK, POLICY, PUBLIC_URL, SOURCES, STORE, TRACKER

_ID_CHARACTERS: Final = 100

routes = AccessRoutes()


@routes.get("/incidents/{id}", access=AccessScope.READ)
async def show_incident(request: web.Request) -> web.Response:
    """One incident: what is known of it, its newest event that can be read, and what can be done."""
    wanted = incident_id_of(request)
    incident = await load_incident(request.app[STORE], wanted)
    if incident.id != wanted:  # it was merged into this one
        raise web.HTTPSeeOther(
            request.rel_url.with_path(f"/incidents/{incident_name(incident.id)}", keep_query=True)
        )
    return await _show(request, incident, None)


@routes.get("/e/{id}", access=AccessScope.READ)
async def show_event(request: web.Request) -> web.Response:
    """One event, by the id that a user was told: its incident's page with it."""
    event_id = request.match_info["id"]
    stored = await event_queries.get_event(request.app[STORE], event_id)
    if stored is None:
        raise unknown_event(event_id)
    return await _show(request, await load_incident(request.app[STORE], stored.incident_id), stored)


async def _show(
    request: web.Request, incident: Incident, stored: event_queries.StoredEvent | None
) -> web.Response:
    parameters = read_parameters(request)
    asked = read_asked(parameters)
    parameters.finish()
    store, now = request.app[STORE], request.app[CLOCK]()
    with cursor_errors():
        found = await read_material(store, incident, asked, stored=stored, now=now)
    principal = request[PRINCIPAL]
    # In a thread: the source lines of many calls take milliseconds to colour.
    view = await asyncio.to_thread(
        view_incident,
        found,
        asked,
        now=now,
        grows=request.app[POLICY]().grows,
        me="" if principal.via is Via.OPEN else principal.actor,
        links=LinksOut(request.app[SOURCES], request.app[TRACKER] is not None),
    )
    status = 400 if found.search.problem is not None else 200
    return await show(request, "incident/page.html", status=status, **_values(request, view, asked))


def _values(request: web.Request, view: IncidentView, asked: PageAsked) -> dict[str, Any]:
    public = request.app[PUBLIC_URL] or f"{request.scheme}://{request.host}"
    event = view.event
    path = f"/e/{event.id}" if request.path.startswith("/e/") and event else f"/incidents/{view.name}"
    return {"view": view, "asked": asked, "link": f"{public.rstrip('/')}{path}"}


@routes.get("/e/{id}/compare", access=AccessScope.READ)
async def show_comparison(request: web.Request) -> web.Response:
    """The reason why two events are in one incident or are not; an incident stands for its newest event."""
    parameters = read_parameters(request)
    other = (parameters.text("other") or "")[:_ID_CHARACTERS].strip()
    parameters.finish()
    named = await _event_named(request, other)
    first, second = await asyncio.gather(
        _grouping_of(request, request.match_info["id"]), _grouping_of(request, named)
    )
    return await show(
        request,
        "incident/comparison.html",
        first=first,
        second=second,
        lines=difference(first.parts, second.parts),
    )


async def _event_named(request: web.Request, text: str) -> str:
    number = parse_incident_id(text)
    if number is None:
        return text
    store = request.app[STORE]
    incident = await load_incident(store, number)
    wanted = any_of(Key.INCIDENT, [incident.id])
    page = await list_events(store, wanted, limit=1, now=request.app[CLOCK]())
    return page.rows[0].id if page.rows else text


async def _grouping_of(request: web.Request, event_id: str) -> event_queries.EventGrouping:
    grouping = await event_queries.get_grouping(request.app[STORE], event_id)
    if grouping is None:
        raise unknown_event(event_id)
    return grouping
