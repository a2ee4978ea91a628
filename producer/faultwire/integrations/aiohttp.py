"""aiohttp's server: a middleware that answers what handlers and inner middlewares raise."""

from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from faultwire.capture.scope import Surroundings
from faultwire.capture.trace import parse_traceparent
from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire.response.response import ErrorResponse

_WRITERS: Final = (
    "aiohttp.http_writer",
    "aiohttp.base_protocol",
    "aiohttp.web_ws",
    "aiohttp._websocket.writer",
)
"""Modules in which aiohttp raises the errors that mean that the client has left."""


def error_middleware(errors: Takes) -> Middleware:
    """Answer errors with the standard response, and make one event of each.

    Put it first, so that the errors of the other middlewares are its too::

        app = web.Application(middlewares=[error_middleware(errors)])

    ``HTTPException`` passes as the application's own answer; one of status 500 and above is an event all
    the same. A response that has begun is not answered again: aiohttp breaks the connection off. What a
    body raises that aiohttp sends after the handler has returned, no middleware sees.
    """
    read = partial(_surroundings, errors)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with host.begin(request, read):
            try:
                return await handler(request)
            except web.HTTPException as error:
                if error.status >= 500:
                    errors.handle_once(error)
                raise
            except BaseException as error:
                if not host.is_failure(error) or _has_left(request, error):
                    raise
                response = host.take(errors, error)
                if request.writer.output_size:
                    raise
                answer = _answer(request, response)
                if isinstance(error, Exception):
                    return answer
                await answer.prepare(request)
                await answer.write_eof()
                raise

    return middleware


def _answer(request: web.Request, response: ErrorResponse) -> web.Response:
    answer = host.answer_of(response, request.headers.get("Accept"))
    return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


def _has_left(request: web.Request, error: BaseException) -> bool:
    """True if the client's connection broke, and not one of the handler's own."""
    transport = request.transport
    if not isinstance(error, ConnectionError) or (transport is not None and not transport.is_closing()):
        return False
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and step.tb_frame.f_globals.get("__name__") in _WRITERS


def _surroundings(errors: Takes, request: web.Request) -> Surroundings:
    resource = request.match_info.route.resource
    return Surroundings(
        transaction=None if resource is None else resource.canonical,
        request=host.describe_request(
            errors,
            method=request.method,
            # Not its own url, which raises for a host that is none, and that is the client's to say.
            url=f"{request.scheme}://{request.host}{request.rel_url.raw_path}",
            query=request.rel_url.raw_query_string,
            headers=request.headers.items(),
            client=request.remote,
        ),
        trace=parse_traceparent(request.headers.get("traceparent")),
    )
