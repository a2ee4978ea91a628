"""Any WSGI application: a middleware around it that answers what it raises. It imports no framework."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import request_uri

from faultwire.capture import scope
from faultwire.capture.scope import Surroundings
from faultwire.capture.trace import parse_traceparent
from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire_shared.http_status import title_of

_ROUTE: Final = "faultwire.route"


class ErrorMiddleware:
    """Answers errors with the standard response, and makes one event of each.

    ``app = ErrorMiddleware(app, errors)``. A body that breaks once something of it was sent is not answered
    again: the server is told by ``exc_info``, as PEP 3333 has it, and breaks the connection off.

    Args:
        app: the application.
        errors: the manager.
        propagates: whether errors go on instead of being answered, as they should while one develops.
    """

    def __init__(
        self, app: WSGIApplication, errors: Takes, *, propagates: Callable[[], bool] = lambda: False
    ) -> None:
        self._app = app
        self.errors = errors
        self._propagates = propagates

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """As a server calls an application."""
        start = _Start(start_response, environ)
        with host.begin(environ, self._surroundings):
            try:
                body = self._app(environ, start)
            except BaseException as error:
                if not host.is_failure(error):
                    raise
                answered = self.answer(error, environ, start)
                if answered is None:
                    raise
                return answered
            if isinstance(body, list | tuple) or _is_file(body, environ):
                return body
            return _Body(body, self, environ, start)

    def answer(self, error: BaseException, environ: WSGIEnvironment, start: "_Start") -> list[bytes] | None:
        """Hand the error over, and start the standard response; None where it has to go on.

        What is no ``Exception`` goes on once it is answered, in the way that PEP 3333 has for who returns
        no body.
        """
        response = host.take(self.errors, error)
        if self._propagates():
            return None
        answer = host.answer_of(response, environ.get("HTTP_ACCEPT"))
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        write = start.anew(f"{answer.status} {title_of(answer.status)}", list(headers.items()))
        body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body
        if isinstance(error, Exception):
            return [body] if body else []
        if callable(write):  # a server's may be; a test's need not
            write(body)
        return None

    def _surroundings(self, environ: WSGIEnvironment) -> Surroundings:
        return Surroundings(
            transaction=_rule(environ) or environ.get(_ROUTE),
            request=host.describe_request(
                self.errors,
                method=environ.get("REQUEST_METHOD", "GET"),
                url=request_uri(environ, include_query=False),
                query=environ.get("QUERY_STRING", ""),
                headers=_headers(environ),
                client=environ.get("REMOTE_ADDR"),
            ),
            trace=parse_traceparent(environ.get("HTTP_TRACEPARENT")),
        )


class _Start:
    """Wrapper of ``start_response`` that remembers whether the application has started a response."""

    __slots__ = ("_environ", "_start_response", "called")

    def __init__(self, start_response: StartResponse, environ: WSGIEnvironment) -> None:
        self._start_response = start_response
        self._environ = environ
        self.called: bool = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.called = True
        self._environ[_ROUTE] = _rule(self._environ)  # Flask forgets its request before the body is sent
        return self._start_response(status, headers, exc_info)

    def anew(self, status: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object] | None:
        """Start another response in its place; the server raises the error where headers have been sent."""
        return self._start_response(status, headers, sys.exc_info() if self.called else None)


class _Body:
    """A body that is made while it is sent, in the request's scope, no matter who asks for the next part."""

    def __init__(
        self,
        body: Iterable[bytes],
        middleware: ErrorMiddleware,
        environ: WSGIEnvironment,
        start: _Start,
    ) -> None:
        self._close: Callable[[], object] | None = getattr(body, "close", None)
        self._parts: Iterator[bytes] = iter(body)
        self._middleware = middleware
        self._environ = environ
        self._start = start
        self._scope = scope.current()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with scope.resume(self._scope):
            try:
                return next(self._parts)
            except StopIteration:
                raise
            except BaseException as error:
                if not host.is_failure(error):
                    raise
                answered = self._middleware.answer(error, self._environ, self._start)
                if answered is None:
                    raise
                self._parts = iter(answered)
                return next(self._parts)
            finally:
                self._scope = scope.current()

    def close(self) -> None:
        """Let the application clean up; an error of that is an event, and goes on."""
        if self._close is None:
            return
        with scope.resume(self._scope):
            try:
                self._close()
            except BaseException as error:
                if host.is_failure(error):
                    host.take(self._middleware.errors, error)
                raise


def _is_file(body: object, environ: WSGIEnvironment) -> bool:
    """True if the server may send it without Python's help, which a wrapper would prevent."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _rule(environ: WSGIEnvironment) -> str | None:
    """The route's template, where the application is made with Werkzeug."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return getattr(rule, "rule", None)


def _headers(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    named = [(name[5:], value) for name, value in environ.items() if name.startswith("HTTP_")]
    bare = [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return [(name.replace("_", "-"), str(value)) for name, value in named + bare]
