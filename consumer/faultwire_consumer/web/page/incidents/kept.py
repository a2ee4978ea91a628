"""Views that a browser keeps: a query gets a name, and is forgotten again."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.next_path import next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.incidents.views import (
    VIEWS_COOKIE,
    KeptView,
    keep_view,
    read_views,
    write_views,
)
from faultwire_consumer.web.page.listed import USUAL_ORDER
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to

_YEAR_SECONDS: Final = 366 * 86400

routes = AccessRoutes()


@routes.post("/views/keep", access=AccessScope.READ)
async def keep(request: web.Request) -> web.Response:
    """Keep the query of a list under a name."""
    form = await read_fields(request, ("name", "query", "sort", "next"))
    path, view = next_path(form["next"]), _view_of(form["name"], form["query"], form["sort"])
    if isinstance(view, str):
        return go_to(path, Notice(view, refused=True))
    kept = keep_view(read_views(request.cookies.get(VIEWS_COOKIE, "")), view)
    if isinstance(kept, str):
        return go_to(path, Notice(kept, refused=True))
    return _keep(go_to(path, Notice(f"This browser keeps {view.name} among its views.")), kept)


@routes.post("/views/forget", access=AccessScope.READ)
async def forget(request: web.Request) -> web.Response:
    """Forget the view of a name."""
    form = await read_fields(request, ("name", "next"))
    views = read_views(request.cookies.get(VIEWS_COOKIE, ""))
    left = tuple(view for view in views if view.name != form["name"])
    return _keep(go_to(next_path(form["next"])), left)


def _view_of(name: str, text: str, order: str) -> KeptView | str:
    """Return a view from the fields of a form; or why it is not one."""
    try:
        parse_query(text)
    except QueryError as error:
        return f"This query cannot be kept: {error.message}"
    known = {one.value: one for one in IncidentOrder}
    return KeptView(name.strip(), text.strip(), known.get(order, USUAL_ORDER))


def _keep(response: web.Response, views: tuple[KeptView, ...]) -> web.Response:
    if views:
        value = write_views(views)
        response.set_cookie(VIEWS_COOKIE, value, max_age=_YEAR_SECONDS, httponly=True, samesite="Strict")
    else:
        response.del_cookie(VIEWS_COOKIE, httponly=True, samesite="Strict")
    return response
