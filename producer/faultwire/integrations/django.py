"""Django, under WSGI and ASGI: the standard response for what views, middlewares and streams raise."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import got_request_exception
from django.http import FileResponse, HttpResponse, HttpResponseServerError
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import get_resolver
from django.utils.module_loading import import_string
from django.views.defaults import server_error

from faultwire.capture import scope
from faultwire.capture.scope import Scope, Surroundings
from faultwire.capture.trace import parse_traceparent
from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire.response.response import ErrorResponse
from faultwire_shared.taxonomy import CategorizedError

# Django has no types; a request or response is what it hands out.
Request = Any
Response = Any


class ErrorMiddleware:
    """Answers errors with the standard response, and makes one event of each.

    First in ``MIDDLEWARE``, with the manager in ``FAULTWIRE_ERRORS``: the object, or its dotted path. Use a
    ``SyncErrorManager``, under ASGI too: Django reports errors from threads.

    ``Http404``, ``PermissionDenied`` and ``SuspiciousOperation`` pass. A ``handler500`` of the project
    answers in place of the standard response, and so does its ``500.html`` to callers that ask for HTML; with
    ``DEBUG``, Django's own page does. ``request.faultwire_response`` is then what would have been said.

    Raises:
        ImproperlyConfigured: ``FAULTWIRE_ERRORS`` is missing.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Request], Any]) -> None:
        self._get_response = get_response
        self._errors = _errors()
        self._is_async = bool(iscoroutinefunction(get_response))
        if self._is_async:
            markcoroutinefunction(self)
        got_request_exception.connect(_take, dispatch_uid="faultwire")

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """As Django calls a middleware, in either mode."""
        if self._is_async:
            return self._serve(request)
        with host.begin(request, _surroundings):
            request.faultwire_scope = scope.current()
            try:
                return self._answer(request, self._get_response(request))
            except BaseException as error:
                self._take_end(error)
                raise

    async def _serve(self, request: Request) -> Response:
        with host.begin(request, _surroundings):
            request.faultwire_scope = scope.current()
            try:
                return self._answer(request, await self._get_response(request))
            except BaseException as error:
                self._take_end(error)
                raise

    def _take_end(self, error: BaseException) -> None:
        """Take what Django lets through, as it is no ``Exception``: it ends more than the request."""
        if host.is_failure(error):
            host.take(self._errors, error)

    def process_exception(self, request: Request, exception: Exception) -> Response | None:
        """Answer what a view raises to be answered; the rest is left to Django and comes back below."""
        if not isinstance(host.lone(exception), CategorizedError):
            return None
        return _rendered(request, host.take(self._errors, exception))

    def _answer(self, request: Request, response: Response) -> Response:
        taken = getattr(request, "faultwire_response", None)
        if taken is not None and type(response) is HttpResponseServerError and not _has_page(request):
            return _rendered(request, taken)
        if response.streaming and not isinstance(response, FileResponse):
            watch = self._watch_async if response.is_async else self._watch
            response.streaming_content = watch(response.streaming_content, scope.current())
        return response

    def _watch(self, parts: Iterator[bytes], kept: Scope) -> Iterator[bytes]:
        """A body that is made while it is sent, in the request's scope."""
        while True:
            with scope.resume(kept):
                try:
                    part = next(parts)
                except StopIteration:
                    return
                except BaseException as error:
                    self._take_end(error)
                    raise
                kept = scope.current()
            yield part

    async def _watch_async(self, parts: AsyncIterator[bytes], kept: Scope) -> AsyncIterator[bytes]:
        while True:
            with scope.resume(kept):
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    return
                except BaseException as error:
                    self._take_end(error)
                    raise
                kept = scope.current()
            yield part


def _errors() -> Takes:
    given: Any = getattr(settings, "FAULTWIRE_ERRORS", None)
    if given is None:
        raise ImproperlyConfigured("FAULTWIRE_ERRORS must be an error manager, or the dotted path of one")
    found: Takes = import_string(given) if isinstance(given, str) else given
    return found


def _take(sender: object, request: Request = None, **more: object) -> None:
    """Take what Django is about to answer with a 500: of views, and of middlewares wherever they stand."""
    error = sys.exc_info()[1]
    if error is None or request is None or host.is_gone(error):
        return
    with host.begin(request, _surroundings, getattr(request, "faultwire_scope", None)):
        request.faultwire_response = host.take(_errors(), error)


def _has_page(request: Request) -> bool:
    """True if the project, or Django during development, has a better page than the standard response."""
    if settings.DEBUG:
        return True
    if get_resolver(getattr(request, "urlconf", None)).resolve_error_handler(500) is not server_error:
        return True
    if "text/html" not in request.headers.get("Accept", ""):
        return False
    try:
        get_template("500.html")
    except TemplateDoesNotExist:
        return False
    return True


def _rendered(request: Request, response: ErrorResponse) -> Response:
    answer = host.answer_of(response, request.headers.get("Accept"))
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def _surroundings(request: Request) -> Surroundings:
    meta = request.META
    authority = meta.get("HTTP_HOST") or meta.get("SERVER_NAME", "")  # get_host() raises for one not allowed
    return Surroundings(
        transaction=_route(request),
        request=host.describe_request(
            _errors(),
            method=request.method,
            url=f"{request.scheme}://{authority}{quote(request.path)}",
            query=meta.get("QUERY_STRING", ""),
            headers=request.headers.items(),
            client=meta.get("REMOTE_ADDR"),
        ),
        trace=parse_traceparent(request.headers.get("traceparent")),
    )


def _route(request: Request) -> str | None:
    match = getattr(request, "resolver_match", None)
    return None if match is None else "/" + match.route.replace("^", "").removesuffix("$")
