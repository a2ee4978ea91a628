"""The HTTP application of a gateway's own process: its doors, probes and metrics, and nothing to look at."""

import asyncio
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.gateway.door.routes import GatewayRoute
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.refusal import ClientGoneError
from faultwire_consumer.serving.traffic import TRAFFIC, Traffic
from faultwire_consumer.web.access.declared import AccessRoutes, add_routes
from faultwire_consumer.web.access.guard import RECOGNISERS, Recogniser, guard
from faultwire_consumer.web.access.visitor import TRUSTED_NETWORKS
from faultwire_consumer.web.failure import failure_of, json_response
from faultwire_consumer.web.health import probe
from faultwire_consumer.web.middleware import observe, protect_reader, strangers_out
from faultwire_consumer.web.origin import origins_of
from faultwire_consumer.web.state import CLOCK, HEALTH, ORIGINS, REPORT, Clock, Health
from faultwire_consumer.worker.application import CLIENT_GONE, exposition, keyed_routes


def create_gateway_app(
    config: WorkerConfig,
    gateway: Sequence[GatewayRoute],
    *,
    health: Health,
    metrics: Metrics,
    traffic: Traffic,
    report: SelfReport,
    recognisers: Sequence[Recogniser],
    clock: Clock,
) -> web.Application:
    """Put the routes together.

    Args:
        config: says by which names it is asked, and behind which proxies.
        gateway: the doors.
        health: what the probes tell.
        metrics: shown at ``/metrics``.
        traffic: bounds of what is under way.
        report: takes what fails inside the process.
        recognisers: tell who asks for metrics.
        clock: the time in UTC.
    """
    app = web.Application(middlewares=[observe(metrics), _answer_failures, strangers_out, guard])
    app.on_response_prepare.append(protect_reader)
    app[ORIGINS] = origins_of(
        public_url=config.public_url,
        allowed_hosts=config.allowed_hosts,
        any_address=not config.loopback_only,
    )
    app[HEALTH], app[TRAFFIC], app[REPORT], app[CLOCK] = health, traffic, report, clock
    app[RECOGNISERS], app[TRUSTED_NETWORKS] = recognisers, config.trusted_networks
    own = AccessRoutes()
    own.add("GET", "/metrics", exposition(metrics), access=AccessScope.METRICS)
    add_routes(app, [probe.routes, own, keyed_routes(gateway)])
    return app


@web.middleware
async def _answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except asyncio.CancelledError:
        raise
    except ClientGoneError:
        return web.Response(status=CLIENT_GONE, reason="Visitor Closed Request")
    except Exception as error:  # noqa: BLE001 - one failed request must not end the server; it is reported
        return json_response(failure_of(error, request=request, now=request.app[CLOCK]()), request)
