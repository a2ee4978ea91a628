"""The shop's business partners, on ports of this machine: closed, hanging, or answering nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Partners:
    """Addresses of the partners."""

    card_gateway: str
    """Nothing listens there."""
    carrier: str
    """Accepts the connection and never answers."""
    price_list: str
    """Answers with JSON that breaks off."""
    warehouse: str
    """Hangs up in the middle of its answer."""


@asynccontextmanager
async def partners() -> AsyncIterator[Partners]:
    """Start the partners, as far as they start at all."""
    release = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, b'{"prices": {"sku-1": 990, "sku-2": ')

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, b"[", promised=4096)

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for serve in (hang, break_off, hang_up)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        addresses = [f"http://127.0.0.1:{port}" for port in (_closed_port(), *ports)]
        yield Partners(*addresses)
    finally:
        release.set()
        for server in servers:
            server.close()


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, *, promised: int | None = None
) -> None:
    await reader.readuntil(b"\r\n\r\n")
    length = promised if promised is not None else len(body)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()
    writer.close()
