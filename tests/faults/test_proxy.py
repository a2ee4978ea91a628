"""The proxy keeps its word, so that a test of faultwire can blame faultwire."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.tools.proxy import Proxy, proxy_to


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A server that answers with what it got; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(echo: int) -> AsyncIterator[Proxy]:
    async with proxy_to(echo) as proxy:
        yield proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(60):
            return await self.reader.readexactly(len(data))

    async def hears_nothing(self, data: bytes) -> bool:
        self.writer.write(data)
        try:
            async with asyncio.timeout(0.3):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        return False


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(proxy: Proxy) -> AsyncIterator[Connect]:
    """Makes clients of the proxy's, and closes them at the end."""
    clients: list[Client] = []

    async def make() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", proxy.port)))
        return clients[-1]

    yield make
    for client in clients:
        client.writer.transport.abort()
    await asyncio.sleep(0)


async def test_it_passes_both_ways_and_counts(proxy: Proxy, connect: Connect) -> None:
    client = await connect()
    assert await client.ask(b"x" * 100_000) == b"x" * 100_000
    assert (proxy.to_server.passed, proxy.connections) == (100_000, 1)


@pytest.mark.parametrize(("direction", "arrived"), [("to_server", 0), ("to_client", 3)])
async def test_a_black_hole_of_one_direction(
    proxy: Proxy, connect: Connect, direction: str, arrived: int
) -> None:
    client = await connect()
    await client.ask(b"one")
    proxy.swallow(direction)  # type: ignore[arg-type]  # one of its literals
    assert await client.hears_nothing(b"two")
    assert proxy.to_server.passed == 3 + arrived


async def test_a_black_hole_lets_connections_be_made_and_healing_resets_them(
    proxy: Proxy, connect: Connect
) -> None:
    proxy.swallow()
    client = await connect()
    assert await client.hears_nothing(b"one")
    proxy.heal()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"two")
    assert await (await connect()).ask(b"three") == b"three"


async def test_a_reset_is_felt_at_once(proxy: Proxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"one")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await client.ask(b"two")


async def test_a_cut_after_so_many_bytes(proxy: Proxy, connect: Connect) -> None:
    proxy.to_server.cut_after = 10
    client = await connect()
    await client.ask(b"12345")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"6789012345")
    assert proxy.to_server.passed == 10
    assert await (await connect()).ask(b"again") == b"again"


async def test_a_cut_at_words_that_never_arrive(proxy: Proxy, connect: Connect) -> None:
    client = await connect()
    proxy.cut_at(b"COMMIT", arrives=False)
    assert await client.ask(b"BEGIN") == b"BEGIN"
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"COMMIT;")
    assert proxy.to_server.passed == 5
    assert await (await connect()).ask(b"COMMIT;") == b"COMMIT;"


async def test_a_cut_at_words_that_arrive_and_are_never_answered(proxy: Proxy, connect: Connect) -> None:
    client = await connect()
    proxy.cut_at(b"COMMIT", arrives=True)
    assert await client.hears_nothing(b"COMMIT;")
    assert proxy.to_server.passed == 7
    proxy.heal()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"again")


async def test_delay_and_rate_slow_it_down(proxy: Proxy, connect: Connect) -> None:
    client = await connect()
    started = time.monotonic()
    proxy.to_server.delay_seconds = 0.1
    await client.ask(b"one")
    assert time.monotonic() - started >= 0.1
    proxy.heal()
    proxy.to_client.bytes_per_second = 100_000
    await client.ask(b"x" * 20_000)
    assert time.monotonic() - started >= 0.15


async def test_who_is_turned_away_is_reset(proxy: Proxy, connect: Connect) -> None:
    proxy.accepts = False
    client = await connect()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"one")
