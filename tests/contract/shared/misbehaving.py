"""A real HTTP server that misbehaves by a script, and waits that are noted in place of waited."""

import asyncio
import socket

from aiohttp import web


class Server:
    """Answers in the order of its script, the last entry for ever; keeps every request it got."""

    def __init__(self) -> None:
        self.script: list[int | str | dict[str, str]] = [200]
        self.requests: list[tuple[str, bytes]] = []
        self.url = ""
        self.hanging = asyncio.Event()
        self._arrived = asyncio.Event()

    async def wait_for_request(self) -> None:
        await self._arrived.wait()

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, await request.read()))
        self._arrived.set()
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, dict):
            return web.Response(status=429, headers=step)
        if step == "hang":
            await self.hanging.wait()
        if step == "reset":
            _reset(request)
        return web.Response(status=step if isinstance(step, int) else 200, text="x" * 100_000)


def _reset(request: web.Request) -> None:
    assert request.transport is not None
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    request.transport.abort()


class Waits(list[float]):
    """Stands in for the sleep of the session's middleware."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)
