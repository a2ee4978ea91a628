"""Binds the customer and the request's arguments, so that every event of the request names them."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from faultwire import ErrorManager


def bind_customer(errors: ErrorManager) -> Middleware:
    """Bind the customer and the route's arguments to the request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        errors.set_user({"id": request.headers.get("X-Customer", "anonymous")})
        errors.bind(**request.match_info)
        return await handler(request)

    return middleware
