"""Reading of requests and building of answers, as the API and the page share them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

import msgspec
from aiohttp import hdrs, web

from faultwire_consumer.actions.dead_letters import load_dead_letter, unknown_dead_letter
from faultwire_consumer.actions.incident import unknown_incident
from faultwire_consumer.actions.notifications import unknown_alert
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.serving.body import read_whole_body
from faultwire_consumer.store.contract.paging import BadCursorError
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, DeadLetterFilter
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.state import CLOCK, PUBLIC_URL, STORE
from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.taxonomy import FieldError, NotFoundError, ValidationError

API_PREFIX: Final = "/api/v1"
API_ACTOR: Final = "api"
"""Who changed something, where a request to the API names nobody."""
PAGE_ACTOR: Final = "page"
"""Who pressed a button, where nobody signs in."""

T = TypeVar("T", bound=msgspec.Struct)


class EventNotFoundError(NotFoundError):
    """No stored event has that id."""

    code = "EVENT_NOT_FOUND"


def route_of(request: web.Request) -> str:
    """The route without its arguments, so that one defect is one incident and a metric stays small."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def root_of(request: web.Request) -> str:
    """Return where the worker is reached: the public address, else where this request was sent."""
    return request.app[PUBLIC_URL] or f"{request.scheme}://{request.host}"


def takes_gzip(request: web.Request) -> bool:
    """Return whether an answer may be compressed by gzip."""
    offered = request.headers.get(hdrs.ACCEPT_ENCODING, "").replace(" ", "").lower().split(",")
    return "gzip" in offered


def read_parameters(request: web.Request) -> Parameters:
    """The query string, ready to be read by name."""
    values = {name: request.query.getall(name) for name in request.query}
    return Parameters(values, now=request.app[CLOCK]())


def incident_id_of(request: web.Request) -> int:
    """The incident's number in the path.

    Raises:
        IncidentNotFoundError: the text there is not an incident's id.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text)
    if number is None:
        raise unknown_incident(text[:100])
    return number


def alert_id_of(request: web.Request) -> int:
    """The notification's number in the path.

    Raises:
        AlertNotFoundError: the text there is not a number.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text) if text.isdigit() else None
    if number is None:
        raise unknown_alert(text[:100])
    return number


def unknown_event(event_id: str) -> EventNotFoundError:
    """The error to raise if there is no event with that id."""
    return EventNotFoundError(f"there is no event {event_id[:100]}")


@contextmanager
def cursor_errors() -> Iterator[None]:
    """Report a bad cursor as what it is: a field of the request that cannot be accepted."""
    try:
        yield
    except BadCursorError as error:
        raise ValidationError(errors=[FieldError("cursor", str(error))]) from None


async def dead_letter_of(request: web.Request) -> DeadLetterBody:
    """The dead letter that the path names.

    Raises:
        DeadLetterNotFoundError: there is none.
    """
    text = request.match_info["id"]
    number = parse_incident_id(text) if text.isdigit() else None
    if number is None:
        raise unknown_dead_letter(text[:100])
    return await load_dead_letter(request.app[STORE], number)


def dead_letter_filter(parameters: Parameters) -> DeadLetterFilter:
    """The filters of a list of dead letters; ``status=all`` takes every status."""
    about = "By status, any of several; all takes every one. Without it, those that wait."
    waiting = DeadLetterStatus.WAITING
    status = parameters.choices_or_all("status", DeadLetterStatus, usual=waiting, about=about)
    return DeadLetterFilter(
        status=status, reason=parameters.texts("reason"), service=parameters.texts("service")
    )


async def read_change(request: web.Request, kind: type[T]) -> T:
    """The body of a request for a change, which may be missing.

    Raises:
        ValidationError: it is none, or no body that is taken here.
        ClientGoneError, WorkerBusyError: as `read_whole_body` does.
    """
    body = await read_whole_body(request) or b"{}"
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise ValidationError(errors=[FieldError("body", "nested too deeply to be read")]) from None
    except UNREADABLE as error:
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
        """The place where the next one begins; None at the end."""
        ...


def page_answer(request: web.Request, document: Listing) -> web.Response:
    """A page of a list, with a link to the one that follows."""
    response = json_answer(document)
    if document.next_cursor is not None:
        following = request.rel_url.update_query(cursor=document.next_cursor)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
