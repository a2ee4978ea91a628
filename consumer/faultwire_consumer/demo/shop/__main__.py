"""``python -m faultwire_consumer.demo.shop``: open the shop and let its visitors in, until SIGTERM."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web

from faultwire import ErrorManager
from faultwire.integrations.aiohttp import error_middleware
from faultwire_consumer.demo.shop import orders, payments, stock
from faultwire_consumer.demo.shop.customer import bind_customer
from faultwire_consumer.demo.shop.partner import Partners, partners
from faultwire_consumer.demo.shop.visitor import visit

SECONDS_BETWEEN: Final = 0.7


async def main() -> None:
    """Run three services in one process, each with its own ErrorManager, configured by the environment."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with partners() as known, _open(known) as address:
        seconds = float(os.environ.get("SHOP_SECONDS_BETWEEN", SECONDS_BETWEEN))
        visitors = asyncio.create_task(visit(address, rng=random.Random(), seconds_between=seconds))  # noqa: S311
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({visitors, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not visitors.cancel():
            visitors.result()


@asynccontextmanager
async def _open(known: Partners) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        shop = web.Application()
        for name, module in (("orders", orders), ("payments", payments), ("stock", stock)):
            errors = await stack.enter_async_context(
                ErrorManager.from_env(service=name, include_locals="own")
            )
            service = web.Application(middlewares=[error_middleware(errors), bind_customer(errors)])
            service.add_routes(module.routes)
            shop.add_subapp(f"/{name}", service)
            if module is orders:
                service[orders.DATABASE] = orders.open_database()
            else:
                service[module.PARTNERS], service[module.SESSION] = known, session
        runner = web.AppRunner(shop, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0][:2])


if __name__ == "__main__":
    asyncio.run(main())
