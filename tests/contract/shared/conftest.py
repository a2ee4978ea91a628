"""What the tests of the HTTP session share."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.contract.shared.misbehaving import Server, Waits


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield server
    server.hanging.set()
    await runner.cleanup()


@pytest.fixture
def waits() -> Waits:
    return Waits()
