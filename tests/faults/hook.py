"""A receiver of webhooks that keeps what it is sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct, field


class Hook(Struct):
    """What came, by its key, in order."""

    url: str
    keys: list[str] = field(default_factory=list)

    @property
    def policy(self) -> str:
        """A policy whose one receiver this is."""
        return f'[receivers.hook]\ntype = "webhook"\nurl = "{self.url}"\nallow_private_addresses = true\n'


@asynccontextmanager
async def listening() -> AsyncIterator[Hook]:
    """Listen on a free port of this machine."""
    hook = Hook("")

    async def take(request: web.Request) -> web.Response:
        hook.keys.append(request.headers["Idempotency-Key"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield hook
    finally:
        await runner.cleanup()
