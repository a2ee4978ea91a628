"""The HTTP application: every route of the worker behind the same guards."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.exposition import choose_encoder

from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.links.source import NO_SOURCE_LINKS, SourceLinks
from faultwire_consumer.domain.links.template import LinkTemplate
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.domain.setting.proxy import IpNetwork
from faultwire_consumer.gateway.door.routes import GatewayRoute
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.replay import Replayer
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.worded import template_faults
from faultwire_consumer.notify.trial import Trial
from faultwire_consumer.rehearsal.rehearser import Rehearser
from faultwire_consumer.serving.refusal import ClientGoneError
from faultwire_consumer.serving.traffic import TRAFFIC, Traffic
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.limited import LimitedStore
from faultwire_consumer.web import mcp
from faultwire_consumer.web.access.declared import KEYED, AccessRoutes, add_routes
from faultwire_consumer.web.access.guard import RECOGNISERS, Recogniser, guard
from faultwire_consumer.web.access.oidc import PROVIDER, ProviderDoor
from faultwire_consumer.web.access.open_door import open_door
from faultwire_consumer.web.access.own_page import SAFE_METHODS
from faultwire_consumer.web.access.refusal import NotSignedInError
from faultwire_consumer.web.access.sign_in import SIGN_IN, SignInDoor
from faultwire_consumer.web.access.told_acts import told_acts
from faultwire_consumer.web.access.visitor import BEHALVES, TRUSTED_NETWORKS
from faultwire_consumer.web.api import (
    access,
    acts,
    changes,
    dead_letters,
    description,
    export,
    figures,
    find,
    incidents,
    me,
    new_issue,
    notifications,
    regroup,
    tokens,
)
from faultwire_consumer.web.api.change_feed import FEED, ChangeFeed
from faultwire_consumer.web.api.digests import endpoint as digests
from faultwire_consumer.web.api.intake import describe_intake
from faultwire_consumer.web.api.producers import endpoint as producers
from faultwire_consumer.web.api.rehearsals import endpoint as rehearsals
from faultwire_consumer.web.api.silences import endpoint as silences
from faultwire_consumer.web.failure import failure_of, json_response
from faultwire_consumer.web.health import probe
from faultwire_consumer.web.middleware import (
    INTAKE_PATH,
    below_a_path,
    compress_pages,
    observe,
    own_writes_first,
    protect_reader,
    strangers_out,
)
from faultwire_consumer.web.openapi.served import OPEN_API, OpenApi
from faultwire_consumer.web.origin import origins_of
from faultwire_consumer.web.page.failure import render_failure
from faultwire_consumer.web.page.incidents.figures import FIGURES, ListFigures
from faultwire_consumer.web.page.routes import PAGE_ROUTES
from faultwire_consumer.web.page.totals import QUIET_SERVICES, QuietServices
from faultwire_consumer.web.state import (
    CLOCK,
    HAS_BROKER,
    HEALTH,
    ORIGINS,
    POLICY,
    POLICY_STATUS,
    PUBLIC_URL,
    REHEARSER,
    REPLAYER,
    REPORT,
    SOURCES,
    STORE,
    TEMPLATE_FAULTS,
    TRACKER,
    TRIAL,
    Clock,
    Health,
)
from faultwire_shared.accept import prefers
from faultwire_shared.error_body import JSON_TYPE, PROBLEM_TYPE
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.logging.logs import get_logger

CLIENT_GONE: Final = 499
"""Not of a standard, but what logs and metrics know it by; nobody is left to read it."""
_FOR_PROGRAMS: Final = ("/api/", "/mcp", "/ingest/", "/livez", "/readyz", "/startupz", "/metrics")

_SHIPPED: Final = partial(PolicyStatus, file=None, read_at=datetime(1970, 1, 1, tzinfo=UTC))

log = get_logger("faultwire.http")


def _guards(metrics: Metrics, public_url: str | None, *, has_replica: bool) -> list[Middleware]:
    """Return what stands before the handlers, the outermost first."""
    is_below = public_url is not None and bool(urlsplit(public_url).path.strip("/"))
    return [
        observe(metrics),
        compress_pages,
        *((below_a_path,) if is_below else ()),
        *((own_writes_first,) if has_replica else ()),
        *(_answer_failures, strangers_out, guard, told_acts),
    ]


def create_app(
    *,
    store: Store,
    health: Health,
    metrics: Metrics,
    intake: Handler,
    report: SelfReport,
    clock: Clock,
    pipeline: Pipeline,
    policy: Callable[[], Policy],
    loopback_only: bool,
    public_url: str | None = None,
    allowed_hosts: Sequence[str] = (),
    traffic: Traffic | None = None,
    has_replica: bool = False,
    has_broker: bool = False,
    recognisers: Sequence[Recogniser] | None = None,
    sign_in_door: SignInDoor | None = None,
    provider_door: ProviderDoor | None = None,
    trusted_networks: Sequence[IpNetwork] = (),
    sources: SourceLinks = NO_SOURCE_LINKS,
    tracker: LinkTemplate | None = None,
    senders: Callable[[], Mapping[str, Sender]] = dict,
    policy_status: Callable[[], PolicyStatus] = _SHIPPED,
    rehearser: Rehearser | None = None,
    gateway: Sequence[GatewayRoute] = (),
) -> web.Application:
    """Put the routes together.

    Args:
        store: queries of page and API take turns at it.
        report: takes what fails inside the worker.
        intake: answers ``POST /ingest/v1/events``; bodies beyond a message's size never reach it.
        pipeline: what replayed dead letters go through.
        policy: gives the one in use, to be shown.
        loopback_only: only this machine can ask, so no address but its own loopback is answered to.
        public_url: where people reach the page: its name is answered to, and its buttons are obeyed.
        allowed_hosts: further names that are answered to.
        traffic: bounds of what is under way; those of its own by default.
        has_replica: the store's queries go to one, so who acts has to be remembered.
        has_broker: services send to a broker, and not to this worker.
        recognisers: tell who asks; by default nobody has to say so where only this machine can ask, and
            elsewhere nobody is let in.
        sign_in_door: lets people in by their passwords; None where nobody signs in here.
        provider_door: lets people in whom a provider knows.
        trusted_networks: where proxies stand whose word on a client's address is believed.
        sources: where the lines of frames are to be read.
        tracker: opens an issue in a tracker; None where there is none.
        senders: gives those in use by the names of their receivers, to be tested.
        policy_status: gives the origin of the policy; by default the shipped one, of no known time.
        rehearser: plays the history to other rules; None where nothing does.
        gateway: what foreign SDKs may ask, where all else that is asked is found first.
    """
    guards = _guards(metrics, public_url, has_replica=has_replica)
    app = web.Application(middlewares=guards, client_max_size=MESSAGE_BYTES)
    app.on_response_prepare.append(protect_reader)
    app[ORIGINS] = origins_of(
        public_url=public_url, allowed_hosts=allowed_hosts, any_address=not loopback_only
    )
    app[STORE], app[HEALTH], app[CLOCK] = LimitedStore(store), health, clock
    app[RECOGNISERS] = ((open_door,) if loopback_only else ()) if recognisers is None else recognisers
    app[PUBLIC_URL], app[TRUSTED_NETWORKS], app[HAS_BROKER] = public_url, trusted_networks, has_broker
    app[SOURCES], app[TRACKER], app[BEHALVES], app[POLICY_STATUS] = sources, tracker, {}, policy_status
    app[REHEARSER] = rehearser
    if sign_in_door is not None:
        app[SIGN_IN] = sign_in_door
    if provider_door is not None:
        app[PROVIDER] = provider_door
    app[TRIAL] = Trial(senders, metrics=metrics, clock=clock, public_url=public_url)
    app[POLICY], app[TEMPLATE_FAULTS] = policy, lambda: template_faults(senders())
    app[REPORT], app[REPLAYER], app[TRAFFIC] = report, Replayer(pipeline), traffic or Traffic(metrics)
    tables = (
        figures.routes,
        incidents.routes,
        acts.routes,
        export.routes,
        find.routes,
        new_issue.routes,
        regroup.routes,
        dead_letters.routes,
        notifications.routes,
        digests.routes,
        rehearsals.routes,
        silences.routes,
        producers.routes,
        tokens.routes,
        me.routes,
        changes.routes,
        description.routes,
        access.routes,
        *PAGE_ROUTES,
        probe.routes,
        mcp.routes,
        _own_routes(describe_intake(intake), metrics),
        keyed_routes(gateway),
    )
    add_routes(app, tables)
    app[OPEN_API], app[FEED] = OpenApi(app), ChangeFeed(app[STORE])
    app[FIGURES], app[QUIET_SERVICES] = ListFigures(), QuietServices(app[STORE], clock)
    app.on_shutdown.append(app[FEED].close)
    return app


def keyed_routes(gateway: Sequence[GatewayRoute]) -> AccessRoutes:
    """Return the gateway's routes: each takes every method, and answers to it."""
    routes = AccessRoutes()
    for route in gateway:
        routes.add(hdrs.METH_ANY, route.path, route.handler, access=KEYED)
    return routes


def _own_routes(intake: Handler, metrics: Metrics) -> AccessRoutes:
    routes = AccessRoutes()
    routes.add("POST", INTAKE_PATH, intake, access=AccessScope.INGEST)
    routes.add("GET", "/metrics", exposition(metrics), access=AccessScope.METRICS)
    return routes


def exposition(metrics: Metrics) -> Handler:
    """Every metric, in the format that the scraper accepts."""

    async def show_metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        for look in metrics.looks:
            await look()
        # In a thread, unlike prometheus_client's own handler: the process's figures are read from files.
        body = await asyncio.to_thread(encode, metrics.registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    return show_metrics


@web.middleware
async def _answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except asyncio.CancelledError:
        raise
    except web.HTTPException as error:
        if error.status < 400:
            return web.Response(status=error.status, headers=error.headers)
        return _answer(error, request)
    except ClientGoneError:
        return _abandon(request)
    except Exception as error:  # noqa: BLE001 - one failed request must not end the server; it is logged
        if isinstance(error, ConnectionError) and _is_gone(request):
            return _abandon(request)
        return _answer(error, request)


def _is_gone(request: web.Request) -> bool:
    """Return whether a lost connection is that of whoever asked."""
    return request.transport is None or request.transport.is_closing()


def _abandon(request: web.Request) -> web.Response:
    """Answer nobody: whoever asked hung up, and that is no failure of the worker's."""
    log.debug("request.abandoned", method=request.method, path=request.path)
    return web.Response(status=CLIENT_GONE, reason="Visitor Closed Request")


def _answer(error: Exception, request: web.Request) -> web.Response:
    wants_page = _wants_page(request)
    if wants_page and isinstance(error, NotSignedInError) and SIGN_IN in request.app:
        return _to_sign_in(request)
    now = request.app[CLOCK]()
    failure = failure_of(error, request=request, now=now)
    response = render_failure(request, failure, now=now) if wants_page else json_response(failure, request)
    if not request.content.is_eof():  # of a body that was refused, no more than a moment's is read
        response.force_close()
    return response


def _to_sign_in(request: web.Request) -> web.Response:
    """The way to the page of that, and back: to what was asked for, if asking again changes nothing."""
    asked = request.rel_url.raw_path_qs if request.method in SAFE_METHODS else HOME
    query = urlencode({"next": asked}) if next_path(asked) != HOME else ""
    return web.Response(status=303, headers={hdrs.LOCATION: f"/sign-in?{query}".rstrip("?")})


def _wants_page(request: web.Request) -> bool:
    if request.path.startswith(_FOR_PROGRAMS):
        return False
    accept = request.headers.get("Accept")
    return all(prefers("text/html", other, accept) for other in (JSON_TYPE, PROBLEM_TYPE))
