"""The list of incidents that a query finds, with the answers that nobody has to ask for."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events import incidents
from faultwire_consumer.store.events.changes import read_last_change_id
from faultwire_consumer.store.events.figures.facets import Facets
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.incidents.bulk import bulk_offer
from faultwire_consumer.web.page.incidents.facets import facet_lists
from faultwire_consumer.web.page.incidents.figures import FIGURES, Moment
from faultwire_consumer.web.page.incidents.nothing import Why, sending_help, why_empty, wider_lists
from faultwire_consumer.web.page.incidents.rows import rows_of
from faultwire_consumer.web.page.incidents.search import (
    SEEN,
    Search,
    check_cursor,
    export_paths,
    find_named,
    path_instead,
    read_search,
)
from faultwire_consumer.web.page.incidents.tiles import (
    count_shown,
    questions,
    tiles_of,
)
from faultwire_consumer.web.page.incidents.views import VIEWS_COOKIE, read_views, view_links
from faultwire_consumer.web.page.incidents.visit import (
    SECONDS,
    VISIT_COOKIE,
    Visit,
    look,
    read_visit,
    write_visit,
)
from faultwire_consumer.web.page.listed import list_path
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.searched import bounds_of_query
from faultwire_consumer.web.state import CLOCK, HAS_BROKER, PUBLIC_URL, STORE

ROWS: Final = 50
_NO_FACETS: Final = Facets(0, complete=True, facets=())
_ORDERS: Final = {
    IncidentOrder.URGENT: "most urgent",
    IncidentOrder.LAST: "last seen",
    IncidentOrder.FIRST: "began last",
    IncidentOrder.COUNT: "most events",
    IncidentOrder.USERS: "most users",
    IncidentOrder.GROWTH: "growing fastest",
}

routes = AccessRoutes()


@routes.get("/", access=AccessScope.READ)
async def show_list(request: web.Request) -> web.Response:
    """The incidents that somebody has to look after, or those that a query asks for."""
    parameters = read_parameters(request)
    search = read_search(parameters)
    instead = path_instead(parameters, search)
    parameters.finish()
    store, now = request.app[STORE], request.app[CLOCK]()
    path = await find_named(store, search) or instead
    if path is not None:
        raise web.HTTPSeeOther(path)
    with cursor_errors():
        check_cursor(search)
    visit = look(read_visit(request.cookies.get(VISIT_COOKIE, "")), now)
    asked = questions(visit.since)
    at = Moment(now, await read_last_change_id(store))
    figures = request.app[FIGURES]
    page, facets, glance = await asyncio.gather(
        _read_page(store, search, now), _read_facets(request, search, at), figures.glance(store, asked, at)
    )
    beside = await figures.beside(store, page.rows, now=now)
    response = await show(
        request,
        "incidents/page.html",
        status=400 if search.problem is not None else 200,
        search=search,
        rows=rows_of(page.rows, beside, search=search, now=now),
        following=search.path_after(page.next_cursor) if page.next_cursor is not None else None,
        tiles=tiles_of(asked, glance.counts),
        chart=glance.chart,
        facets=facet_lists(facets, search),
        facets_of=facets,
        bulk=bulk_offer(search, page, facets),
        orders=_ORDERS,
        seen=SEEN,
        **_views(request, search, glance.counts),
        **await _why_nothing(request, search, page),
    )
    _keep_visit(request, response, visit)
    return response


async def _read_page(store: Store, search: Search, now: datetime) -> Page[incidents.Incident]:
    if search.problem is not None:
        return Page((), None)
    return await incidents.list_incidents(
        store, search.query, limit=ROWS, now=now, cursor=search.cursor, order=search.order
    )


async def _read_facets(request: web.Request, search: Search, at: Moment) -> Facets:
    if search.problem is not None:
        return _NO_FACETS
    return await request.app[FIGURES].facets(request.app[STORE], search, at)


def _views(request: web.Request, search: Search, counts: Sequence[int]) -> dict[str, Any]:
    """Return the views, and the addresses under which programs get the same list."""
    principal = request[PRINCIPAL]
    kept = read_views(request.cookies.get(VIEWS_COOKIE, ""))
    account = None if principal.via is Via.OPEN else principal.actor
    return {
        "views": view_links(search, account=account, kept=kept, to_do=count_shown(counts[-1])),
        "kept": kept,
        "me": account,
        "address": _address(request) + search.path,
        "first_path": list_path(search.text, search.order),
        "exports": export_paths(search),
    }


async def _why_nothing(
    request: web.Request, search: Search, page: Page[incidents.Incident]
) -> dict[str, Any]:
    """Return why there is no row, and what to do; None where there are some, or the query is wrong."""
    if page.rows or search.problem is not None:
        return {"why": None, "wider": (), "sending": None, "searched": None}
    store = request.app[STORE]
    any_at_all, searched = await asyncio.gather(
        incidents.list_incidents(store, Query(), limit=1, now=request.app[CLOCK]()),
        bounds_of_query(store, search.query),
    )
    why = why_empty(search, has_any=bool(any_at_all.rows))
    needs_token = request[PRINCIPAL].via is not Via.OPEN
    sending = sending_help(_address(request), has_broker=request.app[HAS_BROKER], needs_token=needs_token)
    return {
        "why": why,
        "wider": wider_lists(search),
        "sending": sending if why is Why.NOTHING_YET else None,
        "searched": searched,
    }


def _address(request: web.Request) -> str:
    """Return where people reach the page: as it is configured, or as this browser does."""
    return (request.app[PUBLIC_URL] or str(request.url.origin())).rstrip("/")


def _keep_visit(request: web.Request, response: web.Response, visit: Visit) -> None:
    value = write_visit(visit)
    if value != request.cookies.get(VISIT_COOKIE):
        response.set_cookie(VISIT_COOKIE, value, max_age=SECONDS, httponly=True, samesite="Strict")


@routes.get("/incidents", access=AccessScope.READ)
@routes.get("/e", access=AccessScope.READ)
async def show_list_instead(request: web.Request) -> web.Response:
    """The list of incidents, for whoever takes the id off an address; a query stays."""
    raise web.HTTPSeeOther(request.rel_url.with_path("/", keep_query=True))
