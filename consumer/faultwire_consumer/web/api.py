"""The API under ``/api/v1``: incidents, events and dead letters as JSON."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer.actions import change_status, load_incident, unknown_incident
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.store import event_queries, queries
from faultwire_consumer.store.paging import BadCursorError
from faultwire_consumer.web import shape
from faultwire_consumer.web.parameter import Parameters, event_filter, incident_filter, parse_incident_id
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, NotFoundError, ValidationError

PREFIX: Final = "/api/v1"
ACTOR: Final = "api"

routes = web.RouteTableDef()


class EventNotFoundError(NotFoundError):
    """No stored event has that id."""

    code = "EVENT_NOT_FOUND"


class DeadLetterNotFoundError(NotFoundError):
    """No dead letter has that id."""

    code = "DEAD_LETTER_NOT_FOUND"


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a change of status; it may be missing."""

    actor: str = ACTOR
    """Who asks, as the history keeps it. It is a claim: nobody has to log in yet."""


@routes.get(f"{PREFIX}/incidents")
async def list_incidents(request: web.Request) -> web.Response:
    """Incidents by filter, the last seen first."""
    parameters = read_parameters(request)
    wanted, limit, cursor = incident_filter(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await queries.list_incidents(request.app[STORE], wanted, limit=limit, cursor=cursor)
    rows = tuple(shape.incident_shape(row) for row in page.rows)
    return _page(request, shape.IncidentList(incidents=rows, next_cursor=page.next_cursor))


@routes.get(f"{PREFIX}/incidents/{{id}}")
async def show_incident(request: web.Request) -> web.Response:
    """One incident with its history."""
    return await _incident_response(request, incident_id_of(request))


@routes.get(f"{PREFIX}/incidents/{{id}}/events")
async def list_incident_events(request: web.Request) -> web.Response:
    """The events of one incident, the newest first."""
    incident = await load_incident(request.app[STORE], incident_id_of(request))
    parameters = read_parameters(request)
    limit, cursor = parameters.limit(), parameters.cursor()
    parameters.finish()
    return await _events(request, event_queries.EventFilter(incident=incident.id), limit, cursor)


async def _change(request: web.Request, verb: Verb) -> web.Response:
    incident_id = incident_id_of(request)
    actor = await _read_actor(request)
    now = request.app[CLOCK]()
    await change_status(request.app[STORE], incident_id, verb, actor=actor, now=now)
    return await _incident_response(request, incident_id)


@routes.post(f"{PREFIX}/incidents/{{id}}/acknowledge")
async def acknowledge(request: web.Request) -> web.Response:
    """Say that somebody looks after it."""
    return await _change(request, Verb.ACKNOWLEDGE)


@routes.post(f"{PREFIX}/incidents/{{id}}/resolve")
async def resolve(request: web.Request) -> web.Response:
    """Say that it is mended; what occurs from now on is a regression."""
    return await _change(request, Verb.RESOLVE)


@routes.post(f"{PREFIX}/incidents/{{id}}/reopen")
async def reopen(request: web.Request) -> web.Response:
    """Take an acknowledge or resolve back."""
    return await _change(request, Verb.REOPEN)


@routes.get(f"{PREFIX}/events")
async def list_events(request: web.Request) -> web.Response:
    """Events by filter, the newest first."""
    parameters = read_parameters(request)
    wanted, limit, cursor = event_filter(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    return await _events(request, wanted, limit, cursor)


@routes.get(f"{PREFIX}/events/{{id}}")
async def show_event(request: web.Request) -> web.Response:
    """One event as on the wire, with its incident."""
    event_id = request.match_info["id"]
    event = await event_queries.get_event(request.app[STORE], event_id)
    if event is None:
        raise unknown_event(event_id)
    return web.Response(body=shape.event_document(event), content_type="application/json")


@routes.get(f"{PREFIX}/events/{{id}}/grouping")
async def show_grouping(request: web.Request) -> web.Response:
    """Why an event is in its incident."""
    event_id = request.match_info["id"]
    grouping = await event_queries.get_grouping(request.app[STORE], event_id)
    if grouping is None:
        raise unknown_event(event_id)
    return _json(shape.grouping_shape(grouping))


@routes.get(f"{PREFIX}/dead-letters")
async def list_dead_letters(request: web.Request) -> web.Response:
    """Dead letters, the newest first."""
    parameters = read_parameters(request)
    limit, cursor = parameters.limit(), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await event_queries.list_dead_letters(request.app[STORE], limit=limit, cursor=cursor)
    rows = tuple(shape.dead_letter_shape(row) for row in page.rows)
    return _page(request, shape.DeadLetterList(dead_letters=rows, next_cursor=page.next_cursor))


@routes.get(f"{PREFIX}/dead-letters/{{id}}")
async def show_dead_letter(request: web.Request) -> web.Response:
    """One dead letter with its body."""
    return _json(shape.dead_letter_detail(await load_dead_letter(request)))


def read_parameters(request: web.Request) -> Parameters:
    """The query string, ready to be read by name."""
    values = {name: request.query.getall(name) for name in request.query}
    return Parameters(values, now=request.app[CLOCK]())


def incident_id_of(request: web.Request) -> int:
    """The incident's number in the path.

    Raises:
        IncidentNotFoundError: what stands there is no incident's id.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text)
    if number is None:
        raise unknown_incident(text[:100])
    return number


def unknown_event(event_id: str) -> EventNotFoundError:
    """What to raise where there is no event of that id."""
    return EventNotFoundError(f"there is no event {event_id[:100]}")


async def load_dead_letter(request: web.Request) -> event_queries.DeadLetterBody:
    """The dead letter that the path names.

    Raises:
        DeadLetterNotFoundError: there is none.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text) if text.isdigit() else None
    letter = await event_queries.get_dead_letter(request.app[STORE], number) if number else None
    if letter is None:
        raise DeadLetterNotFoundError(f"there is no dead letter {text[:100]}")
    return letter


@contextmanager
def cursor_errors() -> Iterator[None]:
    """Tell a bad cursor as what it is: a field of the request that cannot be accepted."""
    try:
        yield
    except BadCursorError as error:
        raise ValidationError(errors=[FieldError("cursor", str(error))]) from None


async def _events(
    request: web.Request, wanted: event_queries.EventFilter, limit: int, cursor: str | None
) -> web.Response:
    with cursor_errors():
        page = await event_queries.list_events(request.app[STORE], wanted, limit=limit, cursor=cursor)
    rows = tuple(shape.event_shape(row) for row in page.rows)
    return _page(request, shape.EventList(events=rows, next_cursor=page.next_cursor))


async def _incident_response(request: web.Request, incident_id: int) -> web.Response:
    store = request.app[STORE]
    incident = await load_incident(store, incident_id)
    history, (environments, releases) = await asyncio.gather(
        queries.list_history(store, incident_id), queries.list_places(store, incident_id)
    )
    detail = shape.incident_detail(incident, environments=environments, releases=releases, history=history)
    return _json(detail)


async def _read_actor(request: web.Request) -> str:
    body = await request.read()
    if not body:
        return ACTOR
    try:
        actor = msgspec.json.decode(body, type=Change).actor.strip()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValidationError(errors=[FieldError("body", str(error))]) from None
    if not (actor.isprintable() and 0 < len(actor) <= 100):
        raise ValidationError(errors=[FieldError("actor", "1 to 100 printable characters")])
    return actor


def _json(document: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")


def _page(
    request: web.Request, document: shape.IncidentList | shape.EventList | shape.DeadLetterList
) -> web.Response:
    response = _json(document)
    if document.next_cursor is not None:
        following = request.rel_url.update_query(cursor=document.next_cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
