"""Men in the middle that take one message away and say that it was confirmed: no server does that to us.

Over AMQP one stands between the client and RabbitMQ, reads the frames (AMQP 0-9-1, section 4.2), keeps a
stolen publish with its content to itself, and forges the ack; as RabbitMQ counts one publish less from then
on, the delivery tags of all later acks are put right. Over HTTP one answers 202 and passes nothing on.
"""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import ClientSession, web
from msgspec import Struct, field
from pamqp import commands, frame, header

PREFACE: Final = 8
"""``AMQP`` and the version: what a client says before its first frame."""

Steals = Callable[[bytes], bool]


class Loot(Struct):
    """A message that was taken away."""

    body: bytes
    message_type: str = ""
    routing_key: str = ""


class _Publish(Struct):
    """A publish as it comes in: its frames, until its content is whole."""

    method: commands.Basic.Publish
    frames: list[bytes]
    properties: commands.Basic.Properties | None = None
    missing: int = 0
    body: bytes = b""


class _Theft(Struct):
    """One client's connection through the thief."""

    to_client: asyncio.StreamWriter
    to_server: asyncio.StreamWriter
    publishes: dict[int, _Publish] = field(default_factory=dict)
    given: dict[int, int] = field(default_factory=dict)
    """By channel, the publishes of the client."""
    tags: dict[int, deque[int]] = field(default_factory=dict)
    """By channel, the client's tags of what was passed on, in the server's order."""
    passed: dict[int, int] = field(default_factory=dict)
    """By channel, the server's tag before the first of ``tags``."""


class AmqpThief:
    """Steals the messages whose body ``steals`` names."""

    def __init__(self, server_port: int, steals: Steals) -> None:
        self._server_port = server_port
        self._steals = steals
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.loot: list[Loot] = []

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """One connection, from its start to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_in, server_out = await asyncio.open_connection("127.0.0.1", self._server_port)
        theft = _Theft(client_out, server_out)
        try:
            server_out.write(await client_in.readexactly(PREFACE))
            ways = (
                asyncio.create_task(self._pump(client_in, theft, self._from_client)),
                asyncio.create_task(self._pump(server_in, theft, self._from_server)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        finally:
            for writer in (client_out, server_out):
                writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, theft: _Theft, take: Callable[[_Theft, int, int, bytes], None]
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(7)
                kind, channel, size = struct.unpack(">BHI", head)
                take(theft, kind, channel, head + await reader.readexactly(size + 1))

    def _from_client(self, theft: _Theft, kind: int, channel: int, data: bytes) -> None:
        content = theft.publishes.get(channel)
        if content is None:
            method = frame.unmarshal(data)[2] if kind == 1 else None
            if isinstance(method, commands.Basic.Publish):
                theft.publishes[channel] = _Publish(method, [data])
            else:
                theft.to_server.write(data)
            return
        content.frames.append(data)
        part = frame.unmarshal(data)[2]
        if isinstance(part, header.ContentHeader):
            content.properties, content.missing = part.properties, part.body_size
        else:
            content.body += data[7:-1]
            content.missing -= len(data) - 8
        if content.missing == 0:
            del theft.publishes[channel]
            self._pass_on(theft, channel, content)

    def _pass_on(self, theft: _Theft, channel: int, content: _Publish) -> None:
        tag = theft.given[channel] = theft.given.get(channel, 0) + 1
        if self._steals(content.body):
            kind = content.properties.message_type if content.properties is not None else None
            self.loot.append(Loot(content.body, str(kind), content.method.routing_key))
            theft.to_client.write(frame.marshal(commands.Basic.Ack(tag, multiple=False), channel))
            return
        theft.tags.setdefault(channel, deque()).append(tag)
        theft.to_server.write(b"".join(content.frames))

    def _from_server(self, theft: _Theft, kind: int, channel: int, data: bytes) -> None:
        method = frame.unmarshal(data)[2] if kind == 1 else None
        if not isinstance(method, commands.Basic.Ack):
            theft.to_client.write(data)
            return
        waiting, before = theft.tags.setdefault(channel, deque()), theft.passed.get(channel, 0)
        index = method.delivery_tag - before - 1
        # Each one by itself: "multiple" would mean the stolen one in between as well, which has its ack.
        for _ in range(index + 1 if method.multiple else 1):
            tag = waiting[0 if method.multiple else index]
            if method.multiple:
                waiting.popleft()
                theft.passed[channel] = theft.passed.get(channel, 0) + 1
            if tag:
                theft.to_client.write(frame.marshal(commands.Basic.Ack(tag, multiple=False), channel))
        if not method.multiple:
            waiting[index] = 0
            while waiting and waiting[0] == 0:
                waiting.popleft()
                theft.passed[channel] = theft.passed.get(channel, 0) + 1

    async def close(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)


@asynccontextmanager
async def amqp_thief(server_port: int, steals: Steals) -> AsyncIterator[AmqpThief]:
    """A thief before a broker's port, on a port of its own."""
    thief = AmqpThief(server_port, steals)
    server = await asyncio.start_server(thief.serve, "127.0.0.1", 0)
    thief.port = server.sockets[0].getsockname()[1]
    try:
        yield thief
    finally:
        server.close()
        await thief.close()


class HttpThief:
    """Stands before an intake; ``passes`` False answers everybody with a reset."""

    def __init__(self, intake_url: str, steals: Steals) -> None:
        self._url = intake_url + "/ingest/v1/events"
        self._steals = steals
        self.url = ""
        self.loot: list[Loot] = []
        self.hides_answers = 0
        """So many answers of the intake do not come back: the client's connection ends instead."""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self._steals(body):
            self.loot.append(Loot(body))
            return web.json_response({"results": []}, status=202)
        async with (
            ClientSession() as session,
            session.post(self._url, data=body, headers={"Content-Type": "application/json"}) as answer,
        ):
            text = await answer.read()
        if self.hides_answers:
            self.hides_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, body=text, content_type="application/json")


@asynccontextmanager
async def http_thief(intake_url: str, steals: Steals) -> AsyncIterator[HttpThief]:
    """A thief before an intake, at an address of its own."""
    thief = HttpThief(intake_url, steals)
    application = web.Application(client_max_size=2**20)
    application.router.add_post("/ingest/v1/events", thief.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    thief.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield thief
    finally:
        await runner.cleanup()
