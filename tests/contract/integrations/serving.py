"""uvicorn in this process, and a client that asks it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import uvicorn
from tests.waiting import until


@asynccontextmanager
async def uvicorn_serving(app: Any, *, lifespan: Literal["auto", "on", "off"] = "auto") -> AsyncIterator[str]:
    """The address of the application behind uvicorn."""
    config = uvicorn.Config(app, port=0, lifespan=lifespan, log_config=None, http="h11", loop="asyncio")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started or serving.done()

    await until(started, "uvicorn serves")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def get(
    url: str, *, method: str = "GET", json: object = None, **headers: str
) -> tuple[aiohttp.ClientResponse, Any]:
    """The answer and its body, decoded where it is JSON."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, json=json) as response,
    ):
        is_json = "json" in response.content_type and method != "HEAD"
        return response, (await response.json(content_type=None) if is_json else await response.text())
