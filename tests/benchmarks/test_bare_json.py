"""The API against a bare aiohttp handler that answers the same bytes, in turns, a connection each."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest
from tests.benchmarks import bare_json
from tests.benchmarks.filling import fill_postgresql, fill_sqlite
from tests.benchmarks.report import report
from tests.benchmarks.test_growth import ASKED, LARGE_ON_SQLITE, ROUNDS, SCALE
from tests.servers.postgresql import Servers
from tests.servers.process import ServerProcess, reserve_port, temporary_home
from tests.servers.worker import Worker, clean_environment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

GOAL: Final = "at most 10"
PATHS: Final = {"list": "/api/v1/incidents?limit=50", "incident": "/api/v1/incidents/{id}"}


class Asked:
    """Asks one server over one connection, and times each answer."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, path: str) -> tuple[float, bytes]:
        """Seconds until the whole answer was read, and its body."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers={"Accept": "application/json"})
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - started
        assert answer.status == 200, body[:500]
        return took, body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextmanager
def answering(body: bytes, home: Path) -> Iterator[Asked]:
    """The bare handler with these bytes, in a process of its own as the worker is."""
    port, file = reserve_port(), home / "body.json"
    file.write_bytes(body)
    command = [sys.executable, bare_json.__file__, str(port), str(file)]
    process = ServerProcess(command, clean_environment(home), home / "bare.log")
    try:
        process.wait_until(lambda: _answers(port), "the bare handler answers")
        with closing(Asked(port)) as asked:
            yield asked
    finally:
        process.end()


def _answers(port: int) -> bool:
    with closing(Asked(port)) as asked:
        try:
            asked.ask("/")
        except OSError:
            return False
    return True


def compare(database_url: str, where: str) -> None:
    """Ask both in turns, and report the ratios of their medians and of their slowest hundredths."""
    with temporary_home("bare") as home:
        worker = Worker(home, database_url=database_url)
        worker.start()
        try:
            listed = worker.get("/api/v1/incidents?limit=1000")["incidents"]
            hot = max(listed, key=lambda one: one["count"])["id"]
            with closing(Asked(worker.port)) as ours:
                for name, path in PATHS.items():
                    _compare_one(ours, path.replace("{id}", hot), home, f"{name}, {where}")
        finally:
            worker.kill()


def _compare_one(ours: Asked, path: str, home: Path, what: str) -> None:
    _, body = ours.ask(path)
    with answering(body, home) as bare:
        assert len(bare.ask(path)[1]) == len(body)
        rounds = [_round(ours, bare, path) for _ in range(ROUNDS)]
    for name, share in (("p50", 50), ("p99", 99)):
        pairs = [tuple(sorted(side)[len(side) * share // 100] for side in one) for one in rounds]
        seen: dict[str, list[float]] = {
            "ms": [pair[0] * 1e3 for pair in pairs],
            "against": [pair[1] * 1e3 for pair in pairs],
            "bytes": [len(body)],
        }
        ratios = [pair[0] / pair[1] for pair in pairs]
        report(f"G2 {what} / a bare handler of the same bytes, {name}", GOAL, ratios, seen)


def _round(ours: Asked, bare: Asked, path: str) -> tuple[list[float], list[float]]:
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(ASKED):
        for which in (0, 1) if number % 2 else (1, 0):
            took[which].append((ours, bare)[which].ask(path)[0])
    return took


def test_g2_on_postgresql(servers: Servers, tmp_path: Path) -> None:
    with servers.shared() as database:
        Worker(tmp_path, database_url=database.url).command("db", "upgrade")
        asyncio.run(fill_postgresql(database.url, SCALE))
        compare(database.url, f"PostgreSQL of {SCALE:,} events")


def test_g2_on_sqlite() -> None:
    with temporary_home("bare") as home:
        path = home / "bare.db"
        asyncio.run(fill_sqlite(path, LARGE_ON_SQLITE))
        compare(f"sqlite:///{path}", f"SQLite of {LARGE_ON_SQLITE:,} events")
