"""Each web host behind its real server, before a real worker, while one of its processes is killed."""

import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

import pytest
from tests.servers.process import ServerProcess, reserve_port, run, temporary_home, wait_until
from tests.servers.worker import FAULTWIRE, Worker, clean_environment
from tests.tools.serving import ask

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.may_block("waits for processes")]

ROOT: Final = Path(__file__).parents[2]
ORDERS: Final = 60
CLIENTS: Final = 4

UVICORN: Final = ("-m", "uvicorn", "--host", "127.0.0.1", "--port", "PORT")
GUNICORN: Final = ("-m", "gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "2", "--threads", "2")
WEB: Final = "tests.acceptance.web"
HOSTS: Final = {
    "aiohttp": ("-m", "aiohttp.web", "-H", "127.0.0.1", "-P", "PORT", f"{WEB}.aiohttp_shop:make_app"),
    "fastapi": (*UVICORN, f"{WEB}.fastapi_shop:app"),
    "flask": (*GUNICORN, f"{WEB}.flask_shop:app"),
    "flask, loaded before the fork": (*GUNICORN, "--preload", f"{WEB}.flask_shop:app"),
    "django": (*GUNICORN, f"{WEB}.django_shop:wsgi"),
    "django, loaded before the fork": (*GUNICORN, "--preload", f"{WEB}.django_shop:wsgi"),
    "django, asynchronous": (*UVICORN, f"{WEB}.django_shop:asgi"),
}


class WebHost:
    """The server's process, and those that it has forked."""

    def __init__(self, arguments: tuple[str, ...], home: Path, broker_url: str) -> None:
        port = str(reserve_port())
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, *(each.replace("PORT", port) for each in arguments)]
        self._environment = clean_environment(home) | {
            "FAULTWIRE_BROKER_URL": broker_url,
            "PYTHONPATH": str(ROOT),
        }
        self._log = home / "host.log"
        self.start()

    def start(self) -> None:
        self._process = ServerProcess(self._command, self._environment, self._log)
        self._process.wait_until(self._answers, "the host answers")

    def kill_one(self) -> None:
        """SIGKILL a process that serves; the server forks another one, or is started anew."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if children:
            os.kill(int(children[0]), signal.SIGKILL)
            return
        self._process.end()
        self.start()

    def end(self) -> None:
        """SIGTERM, as whoever deploys the next version does."""
        self._process.end(signal.SIGTERM)

    def drain_spool(self, broker_url: str) -> None:
        """Publish what no next process of this host will."""
        drain = [FAULTWIRE, "spool", "drain", "--service", "shop", "--broker-url", broker_url]
        run(drain, self._environment)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/fine", timeout=10):  # noqa: S310 - our own http
                return True
        except OSError:
            return False


@contextmanager
def working() -> Iterator[Worker]:
    with temporary_home("web-host") as home:
        worker = Worker(home)
        worker.start()
        try:
            yield worker
        finally:
            worker.terminate()


def pay(host: WebHost, order: int) -> str | None:
    """The id that the caller is told; None where the connection broke."""
    with suppress(OSError, HTTPException):
        status, _, body = ask(f"{host.url}/orders/{order}/pay")
        assert status == 500, body
        return str(body["error"]["id"])
    return None


@pytest.mark.parametrize("kind", HOSTS)
def test_what_a_caller_was_told_is_stored_once_though_a_process_is_killed(kind: str, tmp_path: Path) -> None:
    with working() as worker, ThreadPoolExecutor(CLIENTS) as clients:
        host = WebHost(HOSTS[kind], tmp_path, worker.url)
        try:
            told = list(clients.map(lambda order: pay(host, order), range(ORDERS)))
            under_way = [clients.submit(pay, host, order) for order in range(ORDERS, 2 * ORDERS)]
            host.kill_one()
            told += [one.result() for one in under_way]
            told += clients.map(lambda order: pay(host, order), range(2 * ORDERS, 3 * ORDERS))
        finally:
            host.end()
        host.drain_spool(worker.url)
        ids = {one for one in told if one is not None}
        assert len(ids) == sum(one is not None for one in told) >= 2 * ORDERS
        wait_until(lambda: ids <= set(stored(worker)), "every id that a caller was told is stored")
        assert len(stored(worker)) - len(ids) <= told.count(None)
        event = worker.get(f"/api/v1/events/{ids.pop()}")
    assert (event["transaction"].startswith("/orders/"), event["request"]["method"]) == (True, "GET")


def stored(worker: Worker) -> list[str]:
    """The ids of the shop's events."""
    with suppress(HTTPError):
        events = worker.get("/api/v1/events?service=shop&limit=1000")["events"]
        return [event["id"] for event in events]
    return []
