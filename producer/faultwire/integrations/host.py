"""The part that hosts share: the scope of one request, what may be told of it, and the standard answer."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

from msgspec import Struct

from faultwire.capture import scope
from faultwire.capture.ending import ends_request_badly
from faultwire.capture.scope import Surroundings
from faultwire.guard import Takes
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import CONTEXT_KEYS
from faultwire_shared.taxonomy import CategorizedError

Request = TypeVar("Request")

SECRET_HEADERS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie"))
"""Credentials, no matter what the scrubber is told."""
ADDRESS_HEADERS: Final = frozenset(("forwarded", "x-forwarded-for", "x-real-ip"))
"""Headers in which proxies give the client's address."""

_QUERY_CHARACTERS: Final = 8_192
_GONE: Final = frozenset(
    (
        "starlette.requests.ClientDisconnect",
        "starlette.websockets.WebSocketDisconnect",
        "uvicorn.protocols.utils.ClientDisconnected",
        "django.core.exceptions.RequestAborted",
        "django.http.request.UnreadablePostError",
    )
)


class Ask(Generic[Request]):
    """Reads the surroundings of one request, when an error asks for them."""

    __slots__ = ("_read", "request", "seen")

    def __init__(self, request: Request, read: Callable[[Request], Surroundings]) -> None:
        self.request: Request = request
        self.seen: tuple[BaseException, scope.Scope] | None = None
        self._read = read

    def __call__(self) -> Surroundings:
        """The host's knowledge by now, including the route once there is one."""
        return self._read(self.request)


class Answer(Struct, frozen=True):
    """The standard response as it goes over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(
    request: Request, read: Callable[[Request], Surroundings], kept: scope.Scope | None = None
) -> AbstractContextManager[Any]:
    """A scope for the request, until ``with`` ends; one that stands for this very request goes on.

    The latter is an application within another one, both of which hand over their errors. ``kept`` is the
    request's scope as it was, for a host that hands over an error once that has ended.
    """
    known = scope.current().ask_host
    if isinstance(known, Ask) and known.request is request:
        return nullcontext()
    return scope.begin(Ask(request, read)) if kept is None else scope.resume(kept)


def take(errors: Takes, error: BaseException) -> ErrorResponse:
    """Hand over what the application let go, once.

    An exception that says by itself what the caller is to be told, and is none of the service's own
    failures, is the application's answer and so handled.
    """
    found = lone(error)
    meant = isinstance(found, CategorizedError) and found.status < 500
    with _scope_of(found):
        return errors.handle_once(found, handled=meant)


def keep_scope(error: BaseException) -> None:
    """Keep what is bound here for an error that leaves this context: a task's parent never sees it."""
    current = scope.current()
    if isinstance(current.ask_host, Ask):
        current.ask_host.seen = lone(error), current


def _scope_of(error: BaseException) -> AbstractContextManager[Any]:
    ask = scope.current().ask_host
    if not isinstance(ask, Ask) or ask.seen is None:
        return nullcontext()
    (seen, kept), ask.seen = ask.seen, None
    return scope.resume(kept) if seen is error else nullcontext()


def lone(error: BaseException) -> BaseException:
    """The member of a group that has only one: what a task group made of an error on its way."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def is_failure(error: BaseException) -> bool:
    """True for what ends a request and should not have; a client that leaves and a cancellation are not that.

    What is no ``Exception`` is handed over, answered and let go on: it ends more than the request.
    """
    return ends_request_badly(error) and not is_gone(error)


def is_gone(error: BaseException) -> bool:
    """True if a server or framework says by this that the client has left, which is nobody's error."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in _GONE for kind in type(lone(error)).__mro__)


def answer_of(response: ErrorResponse, accept: str | None) -> Answer:
    """The response for a caller with this ``Accept``; no cache keeps it, as its id is one event's."""
    content_type, body = response.negotiate(accept)
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    for name, value in response.headers.items():
        headers[name] = value.encode("latin-1", "replace").decode("latin-1")  # what HTTP can carry
    return Answer(response.status, headers, body)


def describe_request(
    errors: Takes,
    *,
    method: str,
    url: str,
    query: str,
    headers: Iterable[tuple[str, str]],
    client: str | None,
) -> dict[str, object]:
    """A request as it may travel: credentials left out, the client's address only where the manager says so.

    The query is taken apart, so that the scrubber can judge each argument by its name.

    Args:
        errors: the manager; its ``send_default_pii`` decides on addresses.
        method: in capitals.
        url: without the query.
        query: what stands behind the question mark.
        headers: in any spelling.
        client: its address on the network.
    """
    personal = getattr(errors, "send_default_pii", False) is True
    hidden = SECRET_HEADERS if personal else SECRET_HEADERS | ADDRESS_HEADERS
    found: dict[str, object] = {
        "method": method,
        "url": url,
        "headers": {name: value for name, value in _joined(headers).items() if name not in hidden},
    }
    if query:
        found["query"] = _arguments(query)
    if personal and client:
        found["client_address"] = client
    return found


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _arguments(query: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in parse_qsl(query[:_QUERY_CHARACTERS], keep_blank_values=True)[: 2 * CONTEXT_KEYS]:
        known = found.get(name)
        if known is None:
            found[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            found[name] = [known, value]
    return found
