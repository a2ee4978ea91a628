"""The operators' page: incidents, one incident, one event, dead letters; plain HTML and forms."""

import asyncio
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.actions.dead_letters import discard_dead_letter, replay_dead_letter
from faultwire_consumer.actions.incident import load_incident
from faultwire_consumer.actions.verbs import act_on
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.dead_body import find_place
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTLESS
from faultwire_consumer.domain.lifecycle.decision import Act
from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.dead_letters import queries as letter_queries
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.failure import Failure
from faultwire_consumer.web.page.asset import render
from faultwire_consumer.web.page.search import Search, find_named, read_search
from faultwire_consumer.web.page.stack import view_chain
from faultwire_consumer.web.page.trend import draw_trend, first_hour
from faultwire_consumer.web.request import (
    cursor_errors,
    dead_letter_filter,
    dead_letter_of,
    incident_id_of,
    read_parameters,
    unknown_event,
)
from faultwire_consumer.web.searched import bounds_of_query
from faultwire_consumer.web.state import CLOCK, REPLAYER, STORE
from faultwire_shared import codec
from faultwire_shared.event import ErrorSeverity, Event

ROWS: Final = 50
NEWEST: Final = 10

routes = AccessRoutes()


@routes.get("/", access=AccessScope.READ)
async def show_list(request: web.Request) -> web.Response:
    """The incidents that somebody has to look after, or those that a filter asks for."""
    parameters = read_parameters(request)
    search = read_search(parameters)
    cursor = parameters.cursor()
    parameters.finish()
    store = request.app[STORE]
    if cursor is None and (path := await find_named(store, search)) is not None:
        raise web.HTTPSeeOther(path)
    with cursor_errors():
        page, services, shell = await asyncio.gather(
            _list_found(request, search, cursor), incidents.list_services(store), _shell(request)
        )
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return render(
        "incidents.html",
        status=400 if search.problem is not None else 200,
        **shell,
        incidents=page.rows,
        services=services,
        severities=list(reversed(ErrorSeverity)),
        search=search,
        filtered=search.is_filtered or cursor is not None,
        searched=None if page.rows else await bounds_of_query(store, search.query),
        following=following,
    )


async def _list_found(request: web.Request, search: Search, cursor: str | None) -> Page[incidents.Incident]:
    if search.problem is not None:
        return Page((), None)
    store, now = request.app[STORE], request.app[CLOCK]()
    return await incidents.list_incidents(store, search.query, limit=ROWS, now=now, cursor=cursor)


@routes.get("/incidents", access=AccessScope.READ)
@routes.get("/e", access=AccessScope.READ)
async def show_list_instead(request: web.Request) -> web.Response:
    """The list of incidents, for whoever takes the id off an address; a filter stays."""
    raise web.HTTPSeeOther(request.rel_url.with_path("/", keep_query=True))


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
        page, history, places, counts, shell = await asyncio.gather(
            list_events(store, wanted, limit=NEWEST, now=now, cursor=cursor),
            incidents.list_history(store, incident.id),
            incidents.list_places(store, incident.id),
            incidents.count_by_hour(store, incident.id, since=first_hour(now)),
            _shell(request),
        )
    shown = next((row for row in page.rows if row.body_kept), None)
    newest = await _read_event(request, shown.id) if shown is not None else None
    return render(
        "incident.html",
        **shell,
        incident=incident,
        events=page.rows,
        following=page.next_cursor,
        first_page=cursor is None,
        history=history,
        places=places,
        trend=draw_trend(counts, now=now),
        shown=shown,
        event=newest,
        chain=view_chain(newest.exceptions) if newest is not None else (),
        verbs=_verbs(incident.status),
    )


@routes.post("/incidents/{id}/{verb:acknowledge|resolve|reopen}", access=AccessScope.ACT)
async def change_incident(request: web.Request) -> web.Response:
    """Do what a button says, then show the incident again."""
    incident_id = incident_id_of(request)
    verb = Verb(request.match_info["verb"])
    act = Act(arguments=ARGUMENTLESS[verb], actor=actor_of(request), at=request.app[CLOCK]())
    await act_on(request.app[STORE], incident_id, act)
    raise web.HTTPSeeOther(f"/incidents/{incident_name(incident_id)}")


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
    return render("event.html", **await _shell(request), stored=stored, event=event, chain=chain, kept=kept)


@routes.get("/dead-letters", access=AccessScope.READ)
async def show_dead_letters(request: web.Request) -> web.Response:
    """The bodies that could not be stored, and why."""
    parameters = read_parameters(request)
    status = parameters.text("status") or DeadLetterStatus.WAITING.value
    wanted, cursor = dead_letter_filter(parameters), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await letter_queries.list_dead_letters(request.app[STORE], wanted, limit=ROWS, cursor=cursor)
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return render(
        "dead_letters.html",
        **await _shell(request),
        letters=page.rows,
        following=following,
        chosen=status,
        statuses=[*DeadLetterStatus, "all"],
    )


@routes.get("/dead-letters/{id}", access=AccessScope.READ)
async def show_dead_letter(request: web.Request) -> web.Response:
    """One dead letter with its body, what was done to it, and what can be."""
    letter = await dead_letter_of(request)
    history = await letter_queries.list_dead_letter_history(request.app[STORE], letter.id)
    place = find_place(letter.body, size=letter.size, detail=letter.detail)
    begin = len(letter.body) if place is None else place.offset
    end = begin if place is None else begin + place.length
    parts = (letter.body[:begin], letter.body[begin:end], letter.body[end:])
    before, wrong, after = (part.decode("utf-8", "backslashreplace") for part in parts)
    return render(
        "dead_letter.html",
        **await _shell(request),
        letter=letter,
        place=place,
        before=before,
        wrong=wrong,
        after=after,
        edited=None if letter.edited_body is None else letter.edited_body.decode(errors="backslashreplace"),
        history=history,
        verbs=_letter_verbs(letter),
    )


@routes.post("/dead-letters/{id}/{verb:replay|discard}", access=AccessScope.ACT)
async def change_dead_letter(request: web.Request) -> web.Response:
    """Do what a button says, then show the dead letter again; its history gives the outcome."""
    letter, store, clock = await dead_letter_of(request), request.app[STORE], request.app[CLOCK]
    if request.match_info["verb"] == "replay":
        await replay_dead_letter(
            store, letter.id, request.app[REPLAYER].replay, actor=actor_of(request), now=clock
        )
    else:
        await discard_dead_letter(store, letter.id, actor=actor_of(request), now=clock())
    raise web.HTTPSeeOther(f"/dead-letters/{letter.id}")


def render_failure(failure: Failure, *, now: Any) -> web.Response:
    """A failure as a page; it asks nothing of the store, which may be what failed."""
    response = render("failure.html", status=failure.status, failure=failure, now=now, totals=None)
    response.headers.update(failure.headers)
    return response


async def _shell(request: web.Request) -> dict[str, Any]:
    """The values that every page shows around its content."""
    principal = request[PRINCIPAL]
    return {
        "totals": await incidents.count_totals(request.app[STORE]),
        "now": request.app[CLOCK](),
        "account": principal.actor if principal.via is Via.SESSION else None,
    }


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


def _letter_verbs(letter: letter_queries.DeadLetterBody) -> tuple[str, ...]:
    replayable = ("replay",) if letter.size == len(letter.body) or letter.edited_body is not None else ()
    return {
        DeadLetterStatus.WAITING: (*replayable, "discard"),
        DeadLetterStatus.DISCARDED: replayable,
        DeadLetterStatus.REPLAYED: (),
    }[letter.status]
