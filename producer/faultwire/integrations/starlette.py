"""Starlette, and FastAPI which is made of it: the standard response for what an application raises."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from weakref import WeakSet

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire.integrations.asgi import ErrorMiddleware, route_of
from faultwire.response.response import ErrorResponse
from faultwire_shared.taxonomy import CategorizedError, FieldError, ValidationError

Handler = Callable[[Any, Any], Any]

_WRAPPED_DEEP: Final = 10
"""Middlewares around a mounted application that are looked through."""


def install(app: Starlette, errors: Takes) -> None:
    """Answer errors with the standard response, and make one event of each.

    In any order, all of the application's middlewares are covered. As without faultwire, an
    unhandled error goes on to the server once it is answered, and ``debug=True`` answers by Starlette's
    own page. An exception handler of yours wins over the ones set here; what it answers with 500 and above
    is an event all the same, and what it answers below is yours alone.

    FastAPI's ``RequestValidationError`` becomes a 400 that names each field, unless you have a handler
    for it. Its event tells the fields and never the values.

    The same is done to applications that are mounted in this one, which have handlers of their own, once the
    first request comes; not to one that serves already, or on which you have called this.

    Raises:
        RuntimeError: the application has begun to serve.
    """
    if app.middleware_stack is not None:
        raise RuntimeError("install faultwire before the application serves its first request")
    _installed.add(app)
    handlers: dict[Any, Handler] = app.exception_handlers
    answers = _StarletteAnswers(errors)
    if 500 not in handlers:
        handlers.setdefault(Exception, answers.answer)
    handlers.setdefault(CategorizedError, answers.answer)
    handlers.setdefault(HTTPException, ExceptionMiddleware(app).http_exception)
    _answer_validation(handlers, answers)
    build = app.build_middleware_stack

    def build_watched() -> ASGIApp:
        for key, handler in handlers.items():
            if key not in (500, Exception):
                handlers[key] = answers.watch(handler)
        for mounted in _mounted_in(app.routes):
            install(mounted, errors)
        app.user_middleware.append(Middleware(_Innermost))
        return ErrorMiddleware(build(), errors)

    # Its own outermost layer answers what nothing else did; only here is a place outside of that one.
    app.build_middleware_stack = build_watched  # type: ignore[method-assign]


_installed: "WeakSet[Starlette]" = WeakSet()


def _mounted_in(routes: Iterable[BaseRoute]) -> Iterator[Starlette]:
    """The applications below these routes that could answer better and cannot by themselves."""
    for route in routes:
        inner = getattr(route, "app", None)
        for _ in range(_WRAPPED_DEEP):  # in middlewares, which call so what they wrap
            if isinstance(inner, Starlette | Router) or inner is None:
                break
            inner = getattr(inner, "app", None)
        if isinstance(inner, Router):
            yield from _mounted_in(inner.routes)
        elif isinstance(inner, Starlette) and inner.middleware_stack is None and inner not in _installed:
            yield inner


class _Innermost:
    """Inside of all middlewares: a ``BaseHTTPMiddleware`` runs what is below it in a task of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette calls a middleware."""
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            host.keep_scope(error)
            raise


class _StarletteAnswers:
    """Exception handlers, as Starlette calls them."""

    def __init__(self, errors: Takes) -> None:
        self._errors = errors

    async def answer(self, connection: HTTPConnection, error: Exception) -> Response:
        """The standard response; a WebSocket has none, and is closed further out."""
        if connection.scope["type"] != "http":
            raise error
        if host.is_gone(error):
            return Response(status_code=500)  # nobody reads it
        return _rendered(connection, host.take(self._errors, error))

    async def refuse(self, connection: HTTPConnection, error: Any) -> Response:
        """A 400 that names each field of FastAPI's ``RequestValidationError``."""
        # Not chained: its text holds the input, passwords included.
        refused = ValidationError(errors=[_field(entry) for entry in error.errors()])
        route = route_of(connection.scope)
        groups = ["{{ default }}", *([route] if route else [])]
        return _rendered(connection, self._errors.handle_once(refused, fingerprint=groups))

    def watch(self, handler: Handler) -> Handler:
        """The handler, whose answers of 500 and above are events."""
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
            getattr(handler, "__call__", None)  # noqa: B004 - an object's method is asked, not whether it has one
        )

        async def watched(connection: HTTPConnection, error: Exception) -> Any:
            if is_async:
                response = await handler(connection, error)
            else:
                response = await run_in_threadpool(handler, connection, error)
            if isinstance(response, Response) and response.status_code >= 500:
                self._errors.handle_once(host.lone(error))
            return response

        return watched


def _answer_validation(handlers: dict[Any, Handler], answers: _StarletteAnswers) -> None:
    fastapi = sys.modules.get("fastapi.exception_handlers")
    if fastapi is None:
        return
    kind = fastapi.RequestValidationError
    if handlers.get(kind) is fastapi.request_validation_exception_handler:
        handlers[kind] = answers.refuse


def _rendered(connection: HTTPConnection, response: ErrorResponse) -> Response:
    answer = host.answer_of(response, connection.headers.get("accept"))
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


def _field(found: dict[str, Any]) -> FieldError:
    """One of pydantic's errors; what is missing has the whole input as its value, which says nothing."""
    place = [str(part) for part in found.get("loc", ())]
    value = None if found.get("type") == "missing" else found.get("input")
    return FieldError(".".join(place[1:] or place), str(found.get("msg", "")), value)
