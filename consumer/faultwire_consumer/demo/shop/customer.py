"""Who is being served, and with what: every event of the request says so."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from faultwire import ErrorManager


def tell_customer(errors: ErrorManager) -> Middleware:
    """Bind the customer and the route's arguments to the request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        errors.set_user({"id": request.headers.get("X-Customer", "anonymous")})
        errors.bind(**request.match_info)
        return await handler(request)

    return middleware
