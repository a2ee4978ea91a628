"""The shop in aiohttp: ``python -m aiohttp.web tests.acceptance.web.aiohttp_shop:make_app``."""

from collections.abc import AsyncIterator

from aiohttp import web

from faultwire import ErrorManager
from faultwire.integrations.aiohttp import error_middleware

errors = ErrorManager.from_env(service="shop", collapse_storms=False)


def price_of(order: int) -> int:
    """What fails in this shop."""
    raise LookupError(f"no price for order {order}")


async def pay(request: web.Request) -> web.Response:
    try:
        return web.Response(text=str(price_of(int(request.match_info["order"]))))
    except LookupError as error:
        await errors.handle_error(error, durability="spooled")
        raise


async def fine(request: web.Request) -> web.Response:
    return web.Response(text="fine")


async def publish_errors(app: web.Application) -> AsyncIterator[None]:
    async with errors:
        yield


def make_app(arguments: list[str]) -> web.Application:
    app = web.Application(middlewares=[error_middleware(errors)])
    app.cleanup_ctx.append(publish_errors)
    app.router.add_get("/orders/{order}/pay", pay)
    app.router.add_get("/fine", fine)
    return app
