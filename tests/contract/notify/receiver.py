"""A real HTTP server that a webhook is posted to, and that behaves as badly as it is told."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from aiohttp import web


class Behaviour(Enum):
    """What it does where it does not answer properly."""

    HANG = auto()
    """Take the request and say nothing."""
    HANG_AFTER_HEADERS = auto()
    """Say 200, promise a body, and never send it."""
    RESET = auto()
    """Take the request and break the connection with an RST."""
    CUT_BODY = auto()
    """Promise a body and close in the middle of it."""
    FLOOD = auto()
    """Answer 200 with a body that never ends."""


@dataclass(frozen=True)
class Posted:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    peer: str


Answer = Behaviour | Callable[[], web.Response]


@dataclass
class Receiver:
    """Answers 204 but for what stands in ``answers``, the last of which goes on for ever."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    """A request has come that gets no answer."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posted.append(Posted(request.path, headers, await request.read(), request.remote or ""))
        if not self.answers:
            return web.Response(status=204)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await self._misbehave(answer, request) if isinstance(answer, Behaviour) else answer()

    async def _misbehave(self, behaviour: Behaviour, request: web.Request) -> web.StreamResponse:
        if behaviour is Behaviour.HANG:
            self.hanging.set()
            await self.leaving.wait()
        if behaviour is Behaviour.RESET:
            _reset(request)
            return web.Response()
        response = web.StreamResponse(headers={"Content-Length": str(10**9)})
        await response.prepare(request)
        if behaviour is Behaviour.HANG_AFTER_HEADERS:
            await self.leaving.wait()
        if behaviour is Behaviour.CUT_BODY:
            await response.write(b"half")
            assert request.transport is not None
            request.transport.close()
        while behaviour is Behaviour.FLOOD and not self.leaving.is_set():
            await response.write(b"x" * 65_536)
        return response


def _reset(request: web.Request) -> None:
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.0/8."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()  # noqa: S104 - every number of the loopback network
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    receiver.leaving.set()
    await runner.cleanup()
