"""One incident with its event in it, and one event by its id."""

import asyncio
from typing import Final

from aiohttp import web

from faultwire_consumer.actions.incident import load_incident
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.chart import draw_chart, first_step
from faultwire_consumer.web.page.incident.stack import view_chain
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, incident_id_of, read_parameters, unknown_event
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared import codec
from faultwire_shared.event import Event

NEWEST: Final = 10

routes = AccessRoutes()


@routes.get("/incidents/{id}", access=AccessScope.READ)
async def show_incident(request: web.Request) -> web.Response:
    """One incident: what is known of it, its newest event's stack trace, and what can be done."""
    store, now = request.app[STORE], request.app[CLOCK]()
    asked = incident_id_of(request)
    incident = await load_incident(store, asked)
    if incident.id != asked:  # it was merged into this one
        raise web.HTTPSeeOther(f"/incidents/{incident_name(incident.id)}")
    parameters = read_parameters(request)
    cursor = parameters.cursor()
    parameters.finish()
    wanted = any_of(Key.INCIDENT, [incident.id])
    with cursor_errors():
        page, history, places, counts = await asyncio.gather(
            list_events(store, wanted, limit=NEWEST, now=now, cursor=cursor),
            incidents.list_history(store, incident.id),
            incidents.list_places(store, incident.id),
            incidents.count_by_hour(store, incident.id, since=first_step(now, steps=24)),
        )
    shown = next((row for row in page.rows if row.body_kept), None)
    newest = await _read_event(request, shown.id) if shown is not None else None
    return await show(
        request,
        "incident/page.html",
        incident=incident,
        events=page.rows,
        following=page.next_cursor,
        first_page=cursor is None,
        history=history,
        places=places,
        trend=draw_chart(counts, now=now),
        shown=shown,
        event=newest,
        chain=view_chain(newest.exceptions) if newest is not None else (),
        verbs=_verbs(incident.status),
    )


@routes.get("/e/{id}", access=AccessScope.READ)
async def show_event(request: web.Request) -> web.Response:
    """One event, by the id that a user was told."""
    event_id = request.match_info["id"]
    store = request.app[STORE]
    stored = await event_queries.get_event(store, event_id)
    if stored is None:
        raise unknown_event(event_id)
    event = _read(stored)
    chain = view_chain(event.exceptions) if event is not None else ()
    kept = await event_queries.find_readable(store, stored) if stored.doc is None else None
    return await show(request, "incident/event.html", stored=stored, event=event, chain=chain, kept=kept)


async def _read_event(request: web.Request, event_id: str) -> Event | None:
    stored = await event_queries.get_event(request.app[STORE], event_id)
    return _read(stored) if stored is not None else None


def _read(stored: event_queries.StoredEvent) -> Event | None:
    """The event's body, where it was kept and is of a version that is known here."""
    try:
        return codec.decode(stored.doc) if stored.doc is not None else None
    except codec.Undecodable:
        return None


def _verbs(status: Status) -> tuple[Verb, ...]:
    return {
        Status.OPEN: (Verb.RESOLVE, Verb.ACKNOWLEDGE),
        Status.ACKNOWLEDGED: (Verb.RESOLVE, Verb.REOPEN),
        Status.RESOLVED: (Verb.REOPEN,),
    }[status]
