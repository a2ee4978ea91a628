"""A receiver of notifications that keeps what it is sent, however it is named in a policy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from msgspec import Struct, field

TYPES: Final = {
    "webhook": "",
    "slack": "",
    "pagerduty": 'routing_key = "0123456789abcdef0123456789abcdef"',
    "opsgenie": 'api_key = "0123"',
    "alertmanager": "",
    "ntfy": "",
}
"""The types of receivers that send over HTTP, with what each needs besides its address."""


class Hook(Struct):
    """What came, by its key, in order."""

    url: str
    keys: list[str] = field(default_factory=list)

    @property
    def policy(self) -> str:
        """A policy whose one receiver this is, as a webhook."""
        return self.policy_as("webhook")

    def policy_as(self, kind: str) -> str:
        """A policy whose one receiver this is, by a type of `TYPES`."""
        lines = (
            "[receivers.hook]",
            f'type = "{kind}"',
            f'url = "{self.url}{"topic" if kind == "ntfy" else ""}"',
            "allow_private_addresses = true",
            TYPES[kind],
        )
        return "\n".join(lines) + "\n"


@asynccontextmanager
async def listening() -> AsyncIterator[Hook]:
    """Listen on a free port of this machine."""
    hook = Hook("")

    async def take(request: web.Request) -> web.Response:
        hook.keys.append(request.headers["Idempotency-Key"])
        return web.Response()

    async def list_nothing(_: web.Request) -> web.Response:
        return web.json_response([])

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    app.router.add_get("/{path:.*}", list_nothing)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield hook
    finally:
        await runner.cleanup()
