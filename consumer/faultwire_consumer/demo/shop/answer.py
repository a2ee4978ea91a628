"""How each of the shop's services answers when a handler fails: by its ErrorManager, in one place."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from faultwire import ErrorManager


def answer_errors(errors: ErrorManager) -> Middleware:
    """Hand whatever a handler raises to the manager, and answer with what it says."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - this is where a service hands over its errors
            resource = request.match_info.route.resource
            response = await errors.handle_error(
                error,
                context=dict(request.match_info),
                request={"method": request.method, "url": str(request.rel_url)},
                user={"id": request.headers.get("X-Customer", "anonymous")},
                transaction=resource.canonical if resource is not None else None,
            )
            return web.json_response(response.body(), status=response.status, headers=response.headers)

    return middleware
