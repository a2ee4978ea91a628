"""A worker as systemd sees it: what comes out of the socket of a process that reloads, ends and is late."""

import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

pytestmark = pytest.mark.may_block("reads a socket as systemd does")


class Manager:
    """The socket of a service manager."""

    def __init__(self, path: Path) -> None:
        self.messages = list[dict[str, str]]()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    async def has_heard(self, line: str, *, times: int = 1) -> bool:
        """Whether a line came that often."""
        self._read()
        name, _, value = line.partition("=")
        return sum(one.get(name) == value for one in self.messages) >= times

    def _read(self) -> None:
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except BlockingIOError:
                return
            self.messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


async def test_systemd_hears_that_a_worker_is_ready_lives_reloads_and_ends(
    manager: Manager, tmp_path: Path
) -> None:
    worker = WorkerProcess(
        tmp_path,
        database_url=f"sqlite:///{tmp_path / 'faultwire.db'}",
        NOTIFY_SOCKET=str(tmp_path / "notify"),
        WATCHDOG_USEC="400000",
        FAULTWIRE_DRAIN_DELAY="60s",
    )
    await worker.launch()
    try:
        await until(partial(manager.has_heard, "READY=1"), "it says that it is ready")
        assert (await worker.get("/startupz"))[0] == 200
        await until(partial(manager.has_heard, "WATCHDOG=1", times=3), "it gives signs of life")
        assert manager.messages[-1]["STATUS"] == "3 of 3 lanes receive, 0.0 events a second"

        await worker.send(signal.SIGHUP)
        await until(partial(manager.has_heard, "READY=1", times=2), "it has read its rules again")
        assert [one for one in manager.messages if one.get("RELOADING") == "1"]

        await worker.send(signal.SIGTERM)
        await until(partial(manager.has_heard, "STOPPING=1"), "it says that it ends")

        async def is_unready() -> bool:
            status, report = await worker.get("/readyz")
            return status == 503 and [one["name"] for one in report["checks"] if "error" in one] == ["ending"]

        await until(is_unready, "its probe says so too")
        assert (await worker.get("/livez"))[0] == 200
        status, _ = await worker.post("/ingest/v1/events", b"{}")
        assert status == 202, "what comes all the same is taken"
    finally:
        await worker.signal(signal.SIGKILL)


async def test_a_worker_that_waits_for_its_database_asks_for_patience(
    manager: Manager, tmp_path: Path
) -> None:
    worker = WorkerProcess(
        tmp_path,
        database_url="postgresql://bob:pw@127.0.0.1:9/faultwire",
        NOTIFY_SOCKET=str(tmp_path / "notify"),
    )
    await worker.launch()
    try:
        await until(partial(manager.has_heard, "EXTEND_TIMEOUT_USEC=60000000", times=2), "it asks twice")
        assert "pw@" not in manager.messages[0]["STATUS"]
        assert not await manager.has_heard("READY=1")
    finally:
        assert await worker.signal(signal.SIGTERM) == 0


async def test_a_hangup_has_a_gateway_read_its_log_level_and_go_on(manager: Manager, tmp_path: Path) -> None:
    config = tmp_path / "faultwire.toml"
    config.write_text("")
    gateway = WorkerProcess(
        tmp_path,
        database_url="postgresql://bob:pw@127.0.0.1:9/faultwire",
        broker_url="amqp://bob:pw@127.0.0.1:9/",
        NOTIFY_SOCKET=str(tmp_path / "notify"),
        FAULTWIRE_CONFIG=str(config),
    )
    await gateway.launch("gateway")
    try:
        await until(
            partial(manager.has_heard, "READY=1"), "it is ready: its disk takes what the broker would"
        )
        config.write_text('log_level = "LOUD"\n')
        await gateway.send(signal.SIGHUP)
        await until(partial(_has_logged, gateway, "gateway.not_reloaded"), "it refuses what is wrong")
        config.write_text('log_level = "DEBUG"\n')
        await gateway.send(signal.SIGHUP)
        await until(partial(_has_logged, gateway, "gateway.reloaded"), "it has read its level again")
        await until(partial(manager.has_heard, "READY=1", times=3), "and says each time that it goes on")
    finally:
        assert await gateway.signal(signal.SIGTERM) == 0


async def _has_logged(process: WorkerProcess, event: str) -> bool:
    return event in process.log.read_text()
