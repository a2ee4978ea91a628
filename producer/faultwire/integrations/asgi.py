"""Any ASGI application: a middleware around it that answers what it raises.

It imports no framework. For Starlette and FastAPI, ``faultwire.integrations.starlette`` does more.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import quote

from faultwire.capture.scope import Surroundings
from faultwire.capture.trace import parse_traceparent
from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

INTERNAL_ERROR: Final = 1011
"""The close code of a WebSocket whose server failed (RFC 6455, section 7.4.1)."""
_DENIAL: Final = "websocket.http.response"
_BEGINNINGS: Final = frozenset(
    ("http.response.start", "websocket.accept", "websocket.close", f"{_DENIAL}.start")
)


class ErrorMiddleware:
    """Answers errors with the standard response, and makes one event of each.

    Put it outside of everything else: ``app = ErrorMiddleware(app, errors)``. What it has answered goes no
    further, unless it is no ``Exception``: what ends more than a request does. A response that has begun is
    not answered again: the error goes on, and the server breaks the connection off. A WebSocket is closed
    with 1011 and the event's id as the reason; before it is accepted it is answered by HTTP, where the server
    can. An error that ends startup or shutdown is a critical event.
    """

    def __init__(self, app: Application, errors: Takes) -> None:
        self._app = app
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As a server calls an application."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = _Sending(send)
        with host.begin(scope, self._surroundings):
            try:
                await self._app(scope, receive, sending)
            except BaseException as error:
                if not host.is_failure(error):
                    raise
                response = host.take(self._errors, error)
                if not await _answer(scope, sending, response) or not isinstance(error, Exception):
                    raise

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = False

        async def listen() -> Message:
            nonlocal asked
            message = await receive()
            asked = True
            return message

        try:
            await self._app(scope, listen, send)
        except BaseException as error:
            # One that does not even ask says only that it knows no lifespan, as the specification wants it.
            if asked and host.is_failure(error):
                critical = ErrorSeverity.CRITICAL
                self._errors.handle_once(host.lone(error), critical, handled=False, transaction="lifespan")
            raise

    def _surroundings(self, scope: Scope) -> Surroundings:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        known = dict(headers)
        return Surroundings(
            transaction=route_of(scope),
            request=host.describe_request(
                self._errors,
                method=scope.get("method", "GET"),
                url=f"{scope.get('scheme', 'http')}://{_authority(scope, known)}{_path(scope)}",
                query=scope.get("query_string", b"").decode("latin-1"),
                headers=headers,
                client=scope["client"][0] if scope.get("client") else None,
            ),
            trace=parse_traceparent(known.get("traceparent")),
        )


class _Sending:
    """The state of this connection: the kind of the last message that begins or ends something."""

    __slots__ = ("_send", "begun")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] in _BEGINNINGS:
            self.begun = message["type"]
        await self._send(message)


def route_of(scope: Scope) -> str | None:
    """The route's template, with the templates of what it is mounted in; None before there is one.

    Starlette and FastAPI say what matched in ``scope["route"]``, Litestar in ``scope["path_template"]``.
    """
    route = scope.get("route")
    if route is None:
        template = scope.get("path_template")
        return template if isinstance(template, str) else None
    prefix = _mounted(scope, route)
    if hasattr(route, "routes"):  # a mount, of something that says no more
        return prefix or "/"
    # Of a router with a prefix, FastAPI says in its own place how the two read together.
    context = (scope.get("fastapi") or {}).get("effective_route_context")
    if context is not None and getattr(context, "original_route", None) is route:
        route = context
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    return prefix + path if isinstance(path, str) else None


def _mounted(scope: Scope, route: object) -> str:
    """The part of the path that mounts took, with the names of their parameters."""
    taken = scope.get("root_path", "").removeprefix(scope.get("app_root_path", scope.get("root_path", "")))
    own = getattr(route, "param_convertors", {})
    names = {str(value): name for name, value in scope.get("path_params", {}).items() if name not in own}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in taken.split("/"))


def _authority(scope: Scope, headers: dict[str, str]) -> str:
    server = scope.get("server") or ("", None)
    return headers.get("host") or (server[0] if server[1] is None else f"{server[0]}:{server[1]}")


def _path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")


async def _answer(scope: Scope, sending: _Sending, response: ErrorResponse) -> bool:
    """Answer if that is still possible; False if it was not."""
    if scope["type"] == "http" and not sending.begun:
        await _respond(scope, sending, response, prefix="http.response")
    elif sending.begun == "websocket.accept":
        await sending({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": response.error_id})
    elif not sending.begun and _DENIAL in (scope.get("extensions") or {}):
        await _respond(scope, sending, response, prefix=_DENIAL)
    else:
        return False
    return True


async def _respond(scope: Scope, send: Send, response: ErrorResponse, *, prefix: str) -> None:
    accept = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), None)
    answer = host.answer_of(response, accept)
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{prefix}.start", "status": answer.status, "headers": encoded})
    body = b"" if scope.get("method") == "HEAD" else answer.body
    await send({"type": f"{prefix}.body", "body": body})
