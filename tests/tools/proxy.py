"""A TCP proxy that does what networks do: swallow, reset, cut, delay, throttle; switched at run time."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

_CHUNK: Final = 16 * 1024

Direction = Literal["to_server", "to_client"]


class Way:
    """How bytes travel in one direction. Change a field, and the next bytes feel it."""

    def __init__(self) -> None:
        self.swallows = False
        """Black hole: bytes are taken and never arrive."""
        self.delay_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.cut_after: int | None = None
        """So many bytes more, of all connections together, then every connection is reset."""
        self.cut_at: bytes | None = None
        """What one packet holds, and the first that does ends it: see `Proxy.cut_at`."""
        self.arrives = False
        self.passed = 0


class Link:
    """One client's connection and ours to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server

    def reset(self) -> None:
        """RST to both sides: no goodbye, and what was in flight is gone."""
        for writer in (self.client, self.server):
            connection = writer.get_extra_info("socket")
            if connection is not None:
                with suppress(OSError):
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()


class Proxy:
    """Stands between clients and one server's port."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.attempts = 0
        """Connections that clients made or tried to make so far."""
        self.to_server = Way()
        self.to_client = Way()
        self.accepts = True
        """False: a new connection is reset at once."""

    @property
    def connections(self) -> int:
        """Connections that stand."""
        return len(self._links)

    def swallow(self, *directions: Direction) -> None:
        """Make it a black hole, in these directions or in both."""
        for direction in directions or ("to_server", "to_client"):
            self._way(direction).swallows = True

    def cut_at(self, needle: bytes, *, arrives: bool) -> None:
        """Part client and server at these bytes: the server never gets them, and every connection is reset.

        Where they arrive, it is the answer that nobody gets, nor anything after it, until `heal`.
        """
        self.to_server.cut_at, self.to_server.arrives = needle, arrives

    def heal(self) -> None:
        """Pass everything again; what was swallowed is gone, so connections that lost bytes are reset."""
        lost = self.to_server.swallows or self.to_client.swallows
        passed = self.to_server.passed, self.to_client.passed
        self.to_server, self.to_client = Way(), Way()
        self.to_server.passed, self.to_client.passed = passed
        self.accepts = True
        if lost:
            self.reset()

    def reset(self) -> None:
        """RST every connection that stands."""
        for link in list(self._links):
            link.reset()

    def _way(self, direction: Direction) -> Way:
        return self.to_server if direction == "to_server" else self.to_client

    async def serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        """One client's connection, from its start to its end."""
        self.attempts += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            client_out.transport.abort()
            return
        link = Link(client_out, server_out)
        if not self.accepts:
            link.reset()
            return
        self._links.add(link)
        try:
            ways = (
                asyncio.create_task(self._pump(client_in, server_out, "to_server", link)),
                asyncio.create_task(self._pump(server_in, client_out, "to_client", link)),
            )
            await asyncio.wait(ways)
        finally:
            self._links.discard(link)
            for writer in (client_out, server_out):
                writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction, link: Link
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                way = self._way(direction)
                if way.delay_seconds:
                    await asyncio.sleep(way.delay_seconds)
                if way.cut_at is not None and way.cut_at in data:
                    way.cut_at = None
                    if not way.arrives:
                        self.reset()
                        return
                    self.to_client.swallows = True
                if way.swallows:
                    continue
                if way.cut_after is not None and len(data) >= way.cut_after:
                    writer.write(data[: way.cut_after])
                    way.passed += way.cut_after
                    way.cut_after = None
                    await asyncio.sleep(0)  # the part leaves before the reset
                    self.reset()
                    return
                if way.cut_after is not None:
                    way.cut_after -= len(data)
                writer.write(data)
                await writer.drain()
                way.passed += len(data)
                if way.bytes_per_second:
                    await asyncio.sleep(len(data) / way.bytes_per_second)
        if not self._way(direction).swallows:
            link.client.close() if writer is link.client else link.server.close()

    async def close(self) -> None:
        """End every connection."""
        self.reset()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)


@asynccontextmanager
async def proxy_to(server_port: int) -> AsyncIterator[Proxy]:
    """A proxy before the port, on a port of its own (`Proxy.port`), that passes everything at first."""
    proxy = Proxy(server_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
