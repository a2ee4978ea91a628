"""Middleware around every handler: who may ask, by which name, and what each answer carries."""

import re
import secrets
import time
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.body import encoding_of
from faultwire_consumer.serving.connection import HttpConnection
from faultwire_consumer.serving.protection import protect
from faultwire_consumer.serving.refusal import UnsupportedMediaTypeError
from faultwire_consumer.store.replica.freshness import STALE_SECONDS
from faultwire_consumer.store.replica.store import reading_primary
from faultwire_consumer.web.request import route_of
from faultwire_consumer.web.state import REQUEST_ID

ACTED_COOKIE: Final = "faultwire_acted"
INTAKE_PATH: Final = "/ingest/v1/events"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")


def observe(metrics: Metrics) -> Middleware:
    """Number the request and time it; its connection is not idle meanwhile."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-ID", "")
        request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        started = time.perf_counter()
        connection = request.protocol
        if isinstance(connection, HttpConnection):
            connection.begin_request()
        try:
            response = await handler(request)
        finally:
            if isinstance(connection, HttpConnection):
                connection.end_request()
        metrics.request_seconds.labels(route_of(request), str(response.status)).observe(
            time.perf_counter() - started
        )
        response.headers["X-Request-ID"] = request[REQUEST_ID]
        return response

    return middleware


async def protect_reader(_: web.Request, response: web.StreamResponse) -> None:
    """Put what protects a reader on an answer, also on one that aiohttp made."""
    protect(response)


@web.middleware
async def loopback_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only to this machine's own names: a page elsewhere may point its own name here."""
    if not is_loopback_name(request.host):
        raise web.HTTPMisdirectedRequest(
            text="This worker answers only to localhost and 127.0.0.1, for nobody has to log in."
        )
    return await handler(request)


@web.middleware
async def same_origin_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take changes from our own pages and from programs, never from another site's page.

    The intake takes JSON from anywhere: a browser asks before it sends that to another site,
    and is told nothing that would let it.
    """
    if request.method in _SAFE or not _is_cross_site(request):
        return await handler(request)
    if request.path == INTAKE_PATH and request.content_type == "application/json":
        return await handler(request)
    if request.path == INTAKE_PATH:
        raise web.HTTPUnsupportedMediaType(text="From another site's page the intake takes only JSON.")
    raise web.HTTPForbidden(text="This request came from another site's page.")


@web.middleware
async def unencoded_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take a compressed body at the intake alone."""
    if hdrs.CONTENT_ENCODING in request.headers and request.path != INTAKE_PATH and encoding_of(request):
        raise UnsupportedMediaTypeError("send the body uncompressed")
    return await handler(request)


@web.middleware
async def own_writes_first(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let who acts, and a browser for a while after it acted, read from the primary.

    The worker that an action went through remembers it by itself; the cookie tells the others.
    """
    acts = request.method not in _SAFE
    if not acts and ACTED_COOKIE not in request.cookies:
        return await handler(request)
    with reading_primary():
        response = await handler(request)
    if acts and request.path != INTAKE_PATH and response.status < 400:
        response.set_cookie(ACTED_COOKIE, "1", max_age=round(STALE_SECONDS), httponly=True, samesite="Strict")
    return response


def is_loopback_name(host: str) -> bool:
    """Return whether a Host header names this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_cross_site(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host
