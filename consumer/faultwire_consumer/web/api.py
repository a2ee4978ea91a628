"""The API under ``/api/v1``: incidents and events as JSON, and what all of the API shares."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

import msgspec
from aiohttp import web

from faultwire_consumer.actions import change_status, load_incident, unknown_incident
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.query import Key, Query, any_of
from faultwire_consumer.store.contract.paging import BadCursorError
from faultwire_consumer.store.events import event as event_queries
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.event_list import list_events as list_page
from faultwire_consumer.web import shape
from faultwire_consumer.web.parameter import Parameters, event_query, incident_query
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, NotFoundError, ValidationError

PREFIX: Final = "/api/v1"
ACTOR: Final = "api"

T = TypeVar("T", bound=msgspec.Struct)

routes = web.RouteTableDef()


class EventNotFoundError(NotFoundError):
    """No stored event has that id."""

    code = "EVENT_NOT_FOUND"


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a change of status; it may be missing."""

    actor: str = ACTOR
    """Who asks, as the history keeps it. It is a claim: nobody has to log in yet."""


@routes.get(f"{PREFIX}/incidents")
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
    return await _events(request, any_of(Key.INCIDENT, [incident.id]), limit, cursor)


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
    query, limit, cursor = event_query(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    return await _events(request, query, limit, cursor)


@routes.get(f"{PREFIX}/events/{{id}}")
async def show_event(request: web.Request) -> web.Response:
    """One event as on the wire, with its incident."""
    event_id = request.match_info["id"]
    store = request.app[STORE]
    event = await event_queries.get_event(store, event_id)
    if event is None:
        raise unknown_event(event_id)
    kept = await event_queries.list_kept(store, event) if event.doc is None else None
    return web.Response(body=shape.event_document(event, kept), content_type="application/json")


@routes.get(f"{PREFIX}/events/{{id}}/grouping")
async def show_grouping(request: web.Request) -> web.Response:
    """Why an event is in its incident."""
    event_id = request.match_info["id"]
    grouping = await event_queries.get_grouping(request.app[STORE], event_id)
    if grouping is None:
        raise unknown_event(event_id)
    return json_answer(shape.grouping_shape(grouping))


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


@contextmanager
def cursor_errors() -> Iterator[None]:
    """Tell a bad cursor as what it is: a field of the request that cannot be accepted."""
    try:
        yield
    except BadCursorError as error:
        raise ValidationError(errors=[FieldError("cursor", str(error))]) from None


async def _events(request: web.Request, query: Query, limit: int, cursor: str | None) -> web.Response:
    now = request.app[CLOCK]()
    with cursor_errors():
        page = await list_page(request.app[STORE], query, limit=limit, now=now, cursor=cursor)
    rows = tuple(shape.event_shape(row) for row in page.rows)
    return page_answer(request, shape.EventList(events=rows, next_cursor=page.next_cursor))


async def _incident_response(request: web.Request, incident_id: int) -> web.Response:
    store = request.app[STORE]
    incident = await load_incident(store, incident_id)
    history, (environments, releases) = await asyncio.gather(
        incidents.list_history(store, incident_id), incidents.list_places(store, incident_id)
    )
    detail = shape.incident_detail(incident, environments=environments, releases=releases, history=history)
    return json_answer(detail)


async def _read_actor(request: web.Request) -> str:
    return check_text("actor", (await read_change(request, Change)).actor, least=1, most=100)


async def read_change(request: web.Request, kind: type[T]) -> T:
    """The body of a request for a change, which may be missing.

    Raises:
        ValidationError: it is none.
    """
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValidationError(errors=[FieldError("body", str(error))]) from None


def check_text(name: str, value: str, *, least: int, most: int) -> str:
    """A text that goes into a history, without the blanks around it.

    Raises:
        ValidationError: too short, too long, or not to be printed.
    """
    text = value.strip()
    if not (text.isprintable() and least <= len(text) <= most):
        raise ValidationError(errors=[FieldError(name, f"{least} to {most} printable characters")])
    return text


def json_answer(document: object) -> web.Response:
    """One document."""
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")


class Listing(Protocol):
    """A page of a list, as a document."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next one begins; None at the end."""
        ...


def page_answer(request: web.Request, document: Listing) -> web.Response:
    """A page of a list, with a link to the one that follows."""
    response = json_answer(document)
    if document.next_cursor is not None:
        following = request.rel_url.update_query(cursor=document.next_cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
