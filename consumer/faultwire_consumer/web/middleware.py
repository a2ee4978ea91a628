"""Middleware around every handler: who may ask, by which name, and what each answer carries."""

import gzip
import re
import secrets
import time
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.body import encoding_of
from faultwire_consumer.serving.connection import HttpConnection
from faultwire_consumer.serving.protection import protect
from faultwire_consumer.serving.refusal import UnsupportedMediaTypeError
from faultwire_consumer.store.replica.freshness import STALE_SECONDS
from faultwire_consumer.store.replica.store import reading_primary
from faultwire_consumer.web.access.declared import KEYED, access_of
from faultwire_consumer.web.request import API_PREFIX, route_of, takes_gzip
from faultwire_consumer.web.state import ORIGINS, REQUEST_ID

ACTED_COOKIE: Final = "faultwire_acted"
INTAKE_PATH: Final = "/ingest/v1/events"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
# No stored text can look like one: its quotes are escaped.
_LINK: Final = re.compile(rb'(?<= )(href|src|action|formaction|hx-get|hx-post|data-url)="/')
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")

PROBE_PATHS: Final = ("/livez", "/readyz", "/startupz", "/metrics")
"""Asked by address or by a cluster's own names, and by programs: nothing there is worth a page's trick."""
_WORTH_BYTES: Final = 1_400
"""What fits one packet gains nothing."""
_LEVEL: Final = 4
"""Of what level 6 saves, all but a twentieth, in half of its time."""
_FOREIGN: Final = ("cross-site", "same-site")
_MISDIRECTED: Final = (
    "This worker answers to localhost, to the name in its public_url and to those in http_allowed_hosts: "
    "where any other one points, somebody else decides."
)


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
    if isinstance(response, web.HTTPExpectationFailed):  # in its own words, it repeats what was sent
        response.text = "Of expectations, this worker knows 100-continue."
    protect(response)


@web.middleware
async def strangers_out(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who asks by a known name, from our own pages or by a program, in an encoding that is taken.

    Routes that know their senders by keys see to all of that themselves.
    """
    if access_of(request) is KEYED:
        return await handler(request)
    _check_name(request)
    _check_origin(request)
    if hdrs.CONTENT_ENCODING in request.headers and request.path != INTAKE_PATH and encoding_of(request):
        raise UnsupportedMediaTypeError("send the body uncompressed")
    return await handler(request)


@web.middleware
async def below_a_path(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make an answer's links relative: a proxy may serve the page below a path that it takes off."""
    response = await handler(request)
    root = "../" * (request.rel_url.raw_path.count("/") - 1) or "./"
    for name, start in ((hdrs.LOCATION, "/"), (hdrs.LINK, "</")):
        value = response.headers.get(name, "")
        if value.startswith(start):
            response.headers[name] = value.replace("/", root, 1)
    if isinstance(response, web.Response) and response.content_type == "text/html":
        page = response.body
        if isinstance(page, bytes):
            response.body = _LINK.sub(rb'\1="' + root.encode(), page)
    return response


@web.middleware
async def compress_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress a page on its way out: a list of incidents is a tenth of its size then."""
    response = await handler(request)
    if not isinstance(response, web.Response) or response.content_type != "text/html":
        return response
    page = response.body
    if isinstance(page, bytes) and len(page) >= _WORTH_BYTES and takes_gzip(request):
        response.body = gzip.compress(page, _LEVEL)
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    return response


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


def _check_name(request: web.Request) -> None:
    """Refuse names that somebody else can have point here.

    Where others than this machine may ask, probes, metrics and programs that send events may use any
    name: a cluster's services have several. A page that sends says where it is from.
    """
    origins = request.app[ORIGINS]
    if origins.answer_to(request.headers.get(hdrs.HOST)):
        return
    is_program = request.path == INTAKE_PATH and hdrs.ORIGIN not in request.headers
    if not (origins.any_address and (is_program or request.path in PROBE_PATHS)):
        raise web.HTTPMisdirectedRequest(text=_MISDIRECTED)


def _check_origin(request: web.Request) -> None:
    """Refuse what another site's page asks for, or wants to change.

    Such a page may link to ours, but not start our queries unseen. The intake takes JSON from anywhere:
    a browser asks before it sends that to another site, and is told nothing that would let it.
    """
    if request.method in _SAFE:
        if _is_foreign_query(request):
            raise web.HTTPForbidden(text="Another site's page may link to a page here, and nothing else.")
    elif _is_cross_site(request):
        if request.path != INTAKE_PATH:
            raise web.HTTPForbidden(text="This request came from another site's page.")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="From another site's page the intake takes only JSON.")


def _is_foreign_query(request: web.Request) -> bool:
    """Return whether a browser asks for another site: for data, or for a page that it does not show."""
    if request.headers.get("Sec-Fetch-Site") not in _FOREIGN or request.path in PROBE_PATHS:
        return False
    is_shown = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    is_link = is_shown and request.headers.get("Sec-Fetch-Mode") == "navigate"
    return request.path.startswith(API_PREFIX) or not is_link


def _is_cross_site(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and not request.app[ORIGINS].own(origin, host=request.headers.get(hdrs.HOST))
