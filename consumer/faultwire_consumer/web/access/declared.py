"""Declarations of access: each route names the scope that it takes, or says that it is open to anybody.

A route without one is refused to everybody, and a test finds it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, TypeVar

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope

HandlerT = TypeVar("HandlerT", bound=Handler)


class Openness(Enum):
    """The access of what anybody may ask: probes, static files, signing in."""

    OPEN = "open"
    KEYED = "keyed"
    """It is asked under any name and from any page's script, knows its senders by keys of their own, and
    changes nothing of a reader's."""


OPEN: Final = Openness.OPEN
KEYED: Final = Openness.KEYED
Access = AccessScope | Openness


class DeclaredRoute(Struct, frozen=True):
    """A route as its module declares it."""

    method: str
    path: str
    handler: Handler
    access: Access


class AccessRoutes:
    """A table of routes, filled by decorators as aiohttp's own is, in which each route has its access."""

    def __init__(self) -> None:
        self._routes: list[DeclaredRoute] = []

    def __iter__(self) -> Iterator[DeclaredRoute]:
        return iter(self._routes)

    def add(self, method: str, path: str, handler: Handler, *, access: Access) -> None:
        """Add a route; one for GET answers HEAD too."""
        self._routes.append(DeclaredRoute(method, path, handler, access))

    def route(self, method: str, path: str, *, access: Access) -> Callable[[HandlerT], HandlerT]:
        """Add the decorated handler."""

        def decorate(handler: HandlerT) -> HandlerT:
            self.add(method, path, handler, access=access)
            return handler

        return decorate

    def get(self, path: str, *, access: Access) -> Callable[[HandlerT], HandlerT]:
        """Add the decorated handler for GET and HEAD."""
        return self.route(hdrs.METH_GET, path, access=access)

    def post(self, path: str, *, access: Access) -> Callable[[HandlerT], HandlerT]:
        """Add the decorated handler for POST."""
        return self.route(hdrs.METH_POST, path, access=access)

    def delete(self, path: str, *, access: Access) -> Callable[[HandlerT], HandlerT]:
        """Add the decorated handler for DELETE."""
        return self.route(hdrs.METH_DELETE, path, access=access)


DECLARED: Final[web.AppKey[Mapping[web.AbstractRoute, Access]]] = web.AppKey("declared")
"""The access of each route of an application."""


def add_routes(app: web.Application, tables: Iterable[AccessRoutes]) -> None:
    """Give an application its routes, all of them at once, and keep what they declare."""
    declared: dict[web.AbstractRoute, Access] = {}
    for route in (route for table in tables for route in table):
        resource = app.router.add_resource(route.path)
        heads = (hdrs.METH_HEAD,) if route.method == hdrs.METH_GET else ()
        for method in (*heads, route.method):
            declared[resource.add_route(method, route.handler)] = route.access
    app[DECLARED] = declared


def access_of(request: web.Request) -> Access | None:
    """Return what the request's route declares; None where it declares nothing.

    Where there is no such route, or not with this method, anybody is told so.
    """
    if request.match_info.http_exception is not None:
        return OPEN
    return request.app[DECLARED].get(request.match_info.route)
