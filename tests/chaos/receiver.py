"""The receiver of a chaos run's notifications: it writes down what it was sent, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from tests.chaos.findings import Told
from tests.chaos.trouble import group_of

HANGS_SECONDS: Final = 30.0
SLOW_SECONDS: Final = 1.5
POLL_SECONDS: Final = 0.05


class Receiver:
    """One receiver; ``mood`` is a fault's kind, or ``well``."""

    def __init__(self) -> None:
        self.mood = "well"
        self.told: list[Told] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one notification."""
        document = await request.json()
        answer = await self._answer(request)
        self.told.append(_read(document, was_taken=answer is not None and answer.status == 200))
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    async def _answer(self, request: web.Request) -> web.Response | None:
        match self.mood:
            case "error":
                return web.Response(status=500)
            case "busy":
                return web.Response(status=429, headers={"Retry-After": "1"})
            case "cut":
                return None
            case "hang":
                await self._hang()
                return None
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
        return web.Response()

    async def _hang(self) -> None:
        """Say nothing for as long as the mood lasts."""
        left = HANGS_SECONDS
        while self.mood == "hang" and left > 0:
            await asyncio.sleep(POLL_SECONDS)
            left -= POLL_SECONDS


def _read(document: dict[str, Any], *, was_taken: bool) -> Told:
    data = document["data"]
    incidents = tuple((one["service"], group_of(one["title"])) for one in data["incidents"])
    return Told(data["idempotency_key"], incidents, was_taken)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield receiver
    finally:
        await runner.cleanup()
