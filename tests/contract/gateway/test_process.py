"""A gateway in a process of its own: its broker and its database freeze, and it dies between answers."""

import asyncio
import secrets
import signal
import time
from pathlib import Path
from typing import Final

import msgspec
import pytest
from aiohttp import ClientSession, ClientTimeout
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.process import ServerProcess
from tests.servers.rabbitmq import PrivateRabbitMQ
from tests.servers.worker import FAULTWIRE
from tests.tools.gateway_bench import issue
from tests.tools.migrating import upgrade
from tests.tools.store_reader import StoreReader
from tests.tools.traffic import KEY
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ANSWER_SECONDS: Final = 1.5
NOISE: Final = 2.0
"""Times as long as promised, on a machine that others use too."""


class GatewayProcess:
    """``faultwire gateway``, to kill and to start again, and an SDK that remembers what it was answered."""

    def __init__(self, home: Path, *, database_url: str, broker_url: str) -> None:
        self._place = WorkerProcess(home, database_url=database_url, broker_url=broker_url)
        self._environment = self._place._worker.environment | {
            "FAULTWIRE_GATEWAY_SPOOL_PATH": str(home / "spool"),
        }
        self._process: ServerProcess | None = None
        self.url = self._place.url
        self.log = home / "gateway.log"
        self.answered: set[str] = set()
        self.slowest = 0.0

    async def launch(self) -> None:
        self._process = await asyncio.to_thread(
            ServerProcess, [FAULTWIRE, "gateway"], self._environment, self.log
        )
        await until(self.is_ready, "the gateway is ready")

    async def is_ready(self) -> bool:
        try:
            async with ClientSession() as session, session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except OSError:
            return False

    async def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        return await asyncio.to_thread(self._process.end, number)

    async def post(self, session: ClientSession) -> None:
        event_id = secrets.token_hex(16)
        event = {"event_id": event_id, "level": "error", "message": f"order {event_id} refused"}
        body = b"\n".join((b"{}", b'{"type":"event"}', msgspec.json.encode(event)))
        path = f"{self.url}/api/1/envelope/?sentry_key={KEY}"
        began = time.monotonic()
        async with session.post(path, data=body) as answer:
            assert answer.status == 200, await answer.text()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answered.add(event_id)

    async def pulse(self, events: int) -> None:
        async with ClientSession(timeout=ClientTimeout(total=30)) as session:
            for _ in range(events // 5):
                await asyncio.gather(*(self.post(session) for _ in range(5)))


@pytest.fixture
async def database(private_postgresql: PrivatePostgreSQL) -> PrivatePostgreSQL:
    await upgrade(private_postgresql.url)
    await issue(private_postgresql.url)
    return private_postgresql


async def test_what_was_answered_is_stored_once_though_broker_database_and_gateway_fail(
    database: PrivatePostgreSQL, private_rabbitmq: PrivateRabbitMQ, tmp_path: Path
) -> None:
    urls = {"database_url": database.url, "broker_url": private_rabbitmq.url}
    settings = {f"FAULTWIRE_{name.upper()}": value for name, value in urls.items()}
    assert (await command("topology", "apply", cwd=tmp_path, **settings))[0] == 0
    gateway, reader = GatewayProcess(tmp_path, **urls), StoreReader(database.url)
    await gateway.launch()
    await gateway.pulse(20)

    private_rabbitmq.pause()
    await gateway.pulse(60)
    await gateway.end(signal.SIGKILL)
    database.pause()
    await gateway.launch()
    await gateway.pulse(20)
    assert gateway.slowest < ANSWER_SECONDS * NOISE
    private_rabbitmq.resume()
    database.resume()

    async with running(WorkerProcess(tmp_path, **urls)):

        async def are_stored() -> bool:
            stored = [event_id.rpartition("_")[2] for event_id in await reader.event_ids()]
            assert len(stored) == len(set(stored))
            return gateway.answered == set(stored)

        await until(are_stored, "what was answered is stored")
        assert await reader.one("SELECT sum(count) FROM {s}incidents WHERE service = 'shop'") == 100
        await gateway.pulse(20)
        await until(are_stored, "the gateway passes on again")
    assert await gateway.end(signal.SIGTERM) == 0
    assert not list((tmp_path / "spool").glob("*.db"))


async def test_without_a_broker_it_says_what_to_set(tmp_path: Path) -> None:
    code, _, told = await command("gateway", cwd=tmp_path)
    assert (code, "set broker_url" in told) == (78, True)
