"""The worker's own server before whatever strangers send: over real sockets, byte by byte."""

import asyncio
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from structlog.testing import capture_logs
from tests.contract.api.conftest import Parts, make_parts
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.serving import body
from faultwire_consumer.serving.traffic import HEADER_SECONDS, TRAFFIC, Traffic
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.worker.server import HttpServer
from faultwire_shared.event import MESSAGE_BYTES

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

INTAKE: Final = "/ingest/v1/events"
ACTION: Final = "/api/v1/incidents/INC-1/resolve"


class Wire:
    """A client that writes its own HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, text: str, content: bytes = b"") -> None:
        self.writer.write(text.replace("\n", "\r\n").encode() + content)

    def post(self, content: bytes, *headers: str, path: str = INTAKE, length: int | None = None) -> None:
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
        lines.append(f"Content-Length: {len(content) if length is None else length}")
        self.send("\n".join([*lines, "", ""]), content)

    async def read(self) -> str:
        """Everything until the other side hangs up."""
        async with asyncio.timeout(60):
            return (await self._reader.read()).decode()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and document of one answer."""
        async with asyncio.timeout(60):
            status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            text = await self._reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(text) if text else None


class Served:
    """A server under test."""

    def __init__(self, parts: Parts, port: int) -> None:
        self.parts = parts
        self.port = port

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()

    def count(self, name: str, **labels: str) -> float:
        return self.parts.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def serving(store: Store, clock: FixedClock, **settings: Any) -> AsyncIterator[Served]:
    parts = make_parts(store, clock, await asyncio.to_thread(read_policy), **settings)
    server = HttpServer(parts.app, host="127.0.0.1", port=0)
    async with parts.report:
        url = await server.start()
        try:
            yield Served(parts, int(url.rstrip("/").rpartition(":")[2]))
        finally:
            await server.aclose()


@pytest.fixture
async def served(store: Store, clock: FixedClock) -> AsyncIterator[Served]:
    async with serving(store, clock) as one:
        yield one


@pytest.mark.parametrize(("path", "route"), [(INTAKE, INTAKE), (ACTION, "/api/v1/incidents/{id}/resolve")])
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_client_that_hangs_up_in_mid_body_is_no_error_of_the_worker(
    served: Served, path: str, route: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as lines:
        await hang_up(served, path, route, how)
    assert served.parts.report.handled == 0
    assert [(line["event"], line["log_level"]) for line in lines] == [("request.abandoned", "debug")]
    assert [record for record in caplog.records if record.name.startswith(("faultwire", "aiohttp"))] == []


async def hang_up(served: Served, path: str, route: str, how: str) -> None:
    async with served.connect() as wire:
        wire.post(b'{"id": "half', path=path, length=5_000)
        await wire.writer.drain()

        async def has_arrived() -> bool:
            return served.parts.app[TRAFFIC]._bytes > 0

        await until(has_arrived, "the request is under way")
        if how == "reset":
            wire.writer.transport.abort()
        else:
            wire.writer.close()

        async def is_counted() -> bool:
            return served.count("faultwire_http_request_seconds_count", route=route, status="499") == 1

        await until(is_counted, "the lost client is counted")


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("gzip", gzip.compress(b"[1]", mtime=0)),
        ("x-gzip", gzip.compress(b"[1]", mtime=0)),
        ("deflate", zlib.compress(b"[1]")),
        ("identity", b"[1]"),
    ],
)
async def test_a_compressed_body_is_taken(served: Served, encoding: str, compressed: bytes) -> None:
    async with served.connect() as wire:
        for _ in range(2):  # the connection goes on
            wire.post(compressed, f"Content-Encoding: {encoding}")
            status, _, document = await wire.answer()
            assert (status, document["size"]) == (202, 3)


@pytest.mark.parametrize(
    ("sent", "encoding", "status", "code"),
    [
        (gzip.compress(b" " * (MESSAGE_BYTES + 1), mtime=0), "gzip", 413, "BODY_TOO_LARGE"),
        (gzip.compress(b" " * 30_000_000, mtime=0), "gzip", 413, "BODY_TOO_LARGE"),
        (b" " * (MESSAGE_BYTES + 1), "identity", 413, "BODY_TOO_LARGE"),
        (gzip.compress(b"[1]", mtime=0)[:-4], "gzip", 400, "MALFORMED_BODY"),
        (b"[1]", "gzip", 400, "MALFORMED_BODY"),
        (b"[1]", "zstd", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (gzip.compress(gzip.compress(b"[1]", mtime=0), mtime=0), "gzip, gzip", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
async def test_a_body_that_is_not_taken_is_told_why_in_our_format(
    served: Served, sent: bytes, encoding: str, status: int, code: str
) -> None:
    async with served.connect() as wire:
        wire.post(sent, f"Content-Encoding: {encoding}")
        answered, _, document = await wire.answer()
        assert (answered, document["error"]["code"]) == (status, code)


async def test_the_rest_of_a_body_that_is_refused_is_not_waited_for(served: Served) -> None:
    async with served.connect() as wire:
        wire.post(b"[", length=3_000_000)
        status, headers, _ = await wire.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert await wire.read() == ""


@pytest.mark.parametrize("path", [ACTION, "/incidents/INC-1/resolve", "/dead-letters/1/discard"])
async def test_compressed_bodies_are_for_the_intake_alone(served: Served, path: str) -> None:
    async with served.connect() as wire:
        wire.post(gzip.compress(b"{}"), "Content-Encoding: gzip", path=path)
        status, _, document = await wire.answer()
        assert (status, document["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_body_that_does_not_come_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.01)
    async with served.connect() as wire:
        wire.post(b"[", length=100)
        status, headers, document = await wire.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert document["error"]["code"] == "BODY_TOO_SLOW"


async def test_what_all_bodies_take_together_is_bounded_while_they_arrive(
    store: Store, clock: FixedClock
) -> None:
    traffic = Traffic(Metrics(), bytes_most=10)
    async with serving(store, clock, traffic=traffic) as served:
        async with served.connect() as wire:
            wire.post(b" " * 11, length=12)
            status, headers, document = await wire.answer()
            assert (status, document["error"]["code"]) == (503, "WORKER_BUSY")
            assert (headers["retry-after"], headers["connection"]) == ("2", "close")
        async with served.connect() as wire:
            wire.post(b" " * 10)
            assert (await wire.answer())[0] == 202
    assert traffic._bytes == 0


async def test_who_asks_nothing_or_never_ends_is_hung_up_on(store: Store, clock: FixedClock) -> None:
    traffic = Traffic(Metrics(), clock=clock.monotonic)
    async with (
        serving(store, clock, traffic=traffic) as served,
        served.connect() as silent,
        served.connect() as slow,
        served.connect() as good,
    ):
        slow.send("GET /livez HTTP/1.1\nHost: localhost\nX-Endless: ")
        good.send("GET /livez HTTP/1.1\nHost: localhost\n\n")
        assert (await good.answer())[0] == 200
        clock.advance(HEADER_SECONDS + 1)
        assert await silent.read() == ""
        assert await slow.read() == ""
        good.send("GET /livez HTTP/1.1\nHost: localhost\n\n")
        assert (await good.answer())[0] == 200


async def test_a_client_too_many_is_turned_away_with_a_word(store: Store, clock: FixedClock) -> None:
    traffic = Traffic(Metrics(), connections_most=1, clock=clock.monotonic)
    async with serving(store, clock, traffic=traffic) as served, served.connect() as busy:
        busy.post(b"[", length=100)

        async def is_turned_away() -> bool:
            async with served.connect() as other:
                return (await other.read()).startswith("HTTP/1.1 503 ")

        await until(is_turned_away, "one client is all that there is room for")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03<script>\r\n\r\n",
        b"GET / HTTP/9.9<script>\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n<script>\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-<script>: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_garbage_is_answered_quietly_and_not_repeated(
    served: Served, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as lines:
        async with served.connect() as wire:
            wire.writer.write(garbage)
            status, headers, document = await wire.answer()
    assert (status, document["error"]["code"]) == (400, "BAD_REQUEST")
    assert (headers["server"], headers["x-content-type-options"]) == ("faultwire", "nosniff")
    assert "script" not in str(document)
    assert caplog.records == []
    assert {(line["event"], line["log_level"]) for line in lines} == {("request.unreadable", "debug")}


async def test_an_unknown_expectation_is_answered_as_everything_is(served: Served) -> None:
    async with served.connect() as wire:
        wire.post(b"[1]", "Expect: <script>", "Connection: close")
        text = await wire.read()
    assert text.startswith("HTTP/1.1 417 ")
    assert "nosniff" in text
    assert "aiohttp" not in text
    assert "<script" not in text


async def test_a_request_without_a_host_gets_no_page(served: Served) -> None:
    for path in ("/", "/api/v1/incidents"):
        async with served.connect() as wire:
            wire.send(f"GET {path} HTTP/1.0\n\n")
            assert (await wire.read()).startswith("HTTP/1.0 421 ")
