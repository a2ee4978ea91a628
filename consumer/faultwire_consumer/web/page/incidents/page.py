"""The list of incidents that a query finds."""

import asyncio
from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.events import incidents
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.incidents.search import Search, find_named, read_search
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.searched import bounds_of_query
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.event import ErrorSeverity

ROWS: Final = 50

routes = AccessRoutes()


@routes.get("/", access=AccessScope.READ)
async def show_list(request: web.Request) -> web.Response:
    """The incidents that somebody has to look after, or those that a filter asks for."""
    parameters = read_parameters(request)
    search = read_search(parameters)
    cursor = parameters.cursor()
    parameters.finish()
    store = request.app[STORE]
    if cursor is None and (path := await find_named(store, search)) is not None:
        raise web.HTTPSeeOther(path)
    with cursor_errors():
        page, services = await asyncio.gather(
            _list_found(request, search, cursor), incidents.list_services(store)
        )
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "incidents/page.html",
        status=400 if search.problem is not None else 200,
        incidents=page.rows,
        services=services,
        severities=list(reversed(ErrorSeverity)),
        search=search,
        filtered=search.is_filtered or cursor is not None,
        searched=None if page.rows else await bounds_of_query(store, search.query),
        following=following,
    )


async def _list_found(request: web.Request, search: Search, cursor: str | None) -> Page[incidents.Incident]:
    if search.problem is not None:
        return Page((), None)
    store, now = request.app[STORE], request.app[CLOCK]()
    return await incidents.list_incidents(store, search.query, limit=ROWS, now=now, cursor=cursor)


@routes.get("/incidents", access=AccessScope.READ)
@routes.get("/e", access=AccessScope.READ)
async def show_list_instead(request: web.Request) -> web.Response:
    """The list of incidents, for whoever takes the id off an address; a filter stays."""
    raise web.HTTPSeeOther(request.rel_url.with_path("/", keep_query=True))
