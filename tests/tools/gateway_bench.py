"""A worker with its gateway in this process, and SDKs' requests sent to it byte for byte."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from msgspec import Struct
from tests.servers.process import reserve_port
from tests.tools.opening import open_patiently
from tests.tools.store_reader import StoreReader
from tests.tools.traffic import KEY, PROJECT, RecordedRequest
from tests.tools.waiting import until

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.store.access.dsns import issue_dsn
from faultwire_consumer.worker.assembly import assemble
from faultwire_consumer.worker.lifecycle import release, run_until

SERVICE: Final = "shop"
_OF_THE_CONNECTION: Final = ("host", "connection", "content-length", "transfer-encoding", "keep-alive")


class Answered(Struct, frozen=True, kw_only=True):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        """Its JSON."""
        return msgspec.json.decode(self.body)


class GatewayBench:
    """The worker's address, and its database behind its back."""

    def __init__(self, url: str, database_url: str, session: ClientSession) -> None:
        self.url = url
        self.stored = StoreReader(database_url)
        self._session = session

    async def post(
        self, path: str, body: bytes = b"", *, method: str = "POST", chunked: bool = False, **headers: str
    ) -> Answered:
        """Send a request; underscores in the names of headers are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send(method, path, body, named, chunked=chunked)

    async def replay(self, request: RecordedRequest, *more: tuple[str, str]) -> Answered:
        """Send a recorded request again, chunked if it was, with more headers in place of its own."""
        kept = {name: value for name, value in request.headers if name.lower() not in _OF_THE_CONNECTION}
        kept |= dict(more)
        chunked = request.header("transfer-encoding") == "chunked"
        path = f"{request.path}?{request.query}" if request.query else request.path
        return await self.send(request.method, path, request.content, kept, chunked=chunked)

    async def send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, chunked: bool
    ) -> Answered:
        """Send exactly this, with nothing of the client's own."""
        skipped = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
        async with self._session.request(
            method,
            f"{self.url}{path}",
            data=_pieces_of(body) if chunked else io.BytesIO(body),
            headers=headers,
            skip_auto_headers=skipped,
        ) as response:
            return Answered(
                status=response.status, headers=response.headers.copy(), body=await response.read()
            )


@asynccontextmanager
async def a_gateway(database_url: str, **settings: Any) -> AsyncIterator[GatewayBench]:
    """Serve by a whole worker, whose database has a current schema; the recordings' DSN is one of its own."""
    port = reserve_port()
    await issue(database_url)
    worker = await assemble(WorkerConfig(database_url=database_url, http_port=port, **settings))
    stop = asyncio.Event()
    running = asyncio.create_task(run_until(stop, worker))
    try:
        async with ClientSession(
            connector=TCPConnector(limit=0), timeout=ClientTimeout(total=60), auto_decompress=False
        ) as session:
            bench = GatewayBench(f"http://127.0.0.1:{port}", database_url, session)
            await until(lambda: _is_ready(bench, running), "the worker listens")
            yield bench
    finally:
        stop.set()
        try:
            await running
        finally:
            await release(worker)


async def issue(database_url: str, service: str = SERVICE, **changes: Any) -> None:
    """Make the DSN of the recordings, or another one."""
    draft = DsnDraft(**{"service": service, "key": KEY, "project": PROJECT, **changes})
    source = AuditSource(actor="ada", via=Via.COMMAND)
    store = await open_patiently(database_url)
    try:
        async with store.write() as tx:
            await issue_dsn(tx, draft, source=source, now=datetime.now(UTC), draw=random.randrange)
    finally:
        await store.close()


async def _is_ready(bench: GatewayBench, running: asyncio.Task[None]) -> bool:
    if running.done():
        await running
    try:
        return (await bench.post("/livez", method="GET")).status == 200
    except OSError:
        return False


async def _pieces_of(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 8192):
        yield body[start : start + 8192]
