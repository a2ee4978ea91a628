"""The other side of a producer under fire: it writes down what it took, and takes only what it likes."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web


class RecordingIntake:
    """An intake as the worker has one; ``accepts`` decides each message."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.accepts: Callable[[], bool] = lambda: True
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.accepts():
            return web.Response(status=503, headers={"Retry-After": "0"})
        document = json.loads(body)
        events = document if isinstance(document, list) else [document]
        # A producer's own report has no id.
        self.received.update(event["id"] for event in events if "id" in event)
        return web.Response(status=202)


@asynccontextmanager
async def recording() -> AsyncIterator[RecordingIntake]:
    """An intake on a free port of this machine."""
    intake = RecordingIntake()
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_post("/ingest/v1/events", intake.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        intake.url = f"http://{host}:{port}"
        yield intake
    finally:
        await runner.cleanup()
