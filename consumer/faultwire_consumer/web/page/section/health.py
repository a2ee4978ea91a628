"""The worker's health in words, check by check, with what waits and what the store keeps."""

import asyncio

from aiohttp import web

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.outbox.queries import measure_outbox
from faultwire_consumer.store.status import read_content
from faultwire_consumer.store.upkeep.backlog import COUNTED, read_backlog
from faultwire_consumer.web.access.at_home import is_at_home
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.check_words import check_lines, seconds_behind
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import CLOCK, HEALTH, STORE

routes = AccessRoutes()


@routes.get("/health", access=AccessScope.READ)
async def show_health(request: web.Request) -> web.Response:
    """The checks that this worker makes of itself, how far it is behind, and what the store holds."""
    read_parameters(request).finish()
    store, now = request.app[STORE], request.app[CLOCK]()
    report, depth, backlog, content = await asyncio.gather(
        request.app[HEALTH].ready.run_checks(),
        measure_outbox(store, now=now),
        read_backlog(store),
        read_content(store),
    )
    tells_reasons = request[PRINCIPAL].via is not Via.OPEN or is_at_home(request)
    return await show(
        request,
        "status/page.html",
        checks=check_lines(report, tells_reasons=tells_reasons),
        is_ready=report["status"] == "healthy",
        behind=seconds_behind(report),
        depth=depth,
        backlog=backlog,
        most=COUNTED,
        content=content,
        kept_from=sorted(content.kept_from.items(), key=lambda one: -one[0].rank),
        database="SQLite" if store.name == "sqlite" else "PostgreSQL",
    )
