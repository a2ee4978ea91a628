"""The page: its cost beside that of the API for the same data."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Final

import pytest
from tests.benchmarks.filling import fill_sqlite
from tests.benchmarks.report import report
from tests.servers.process import temporary_home
from tests.servers.worker import Worker

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(3600),
    pytest.mark.may_block("workers are started and asked synchronously"),
]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
SCALE: Final = min(int(os.environ.get("SCALE", "1000000")), 1_000_000)
ASKED: Final = int(os.environ.get("BENCH_ASKED", "200"))
_LIST: Final = ("/", "/api/v1/incidents?limit=50&sort=urgent")


def test_p1_page_beside_its_api() -> None:
    with temporary_home("page") as home:
        filled = asyncio.run(fill_sqlite(home / "faultwire.db", SCALE))
        worker = Worker(home)
        worker.start()
        try:
            hot = max(worker.get("/api/v1/incidents?limit=1000")["incidents"], key=lambda one: one["count"])
            asked = {
                "list": _LIST,
                "incident": (f"/incidents/{hot['id']}", f"/api/v1/incidents/{hot['id']}"),
            }
            for name, paths in asked.items():
                p99 = [_ask(worker, paths) for _ in range(ROUNDS)]
                seen = {"ms": [page * 1e3 for page, _ in p99], "against": [api * 1e3 for _, api in p99]}
                text = f"P1 {name} as a page / by the API, p99, SQLite of {filled:,} events"
                report(text, "at most 3", [page / api for page, api in p99], seen)
        finally:
            worker.kill()


def _ask(worker: Worker, paths: Sequence[str]) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(ASKED):
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            assert worker.get_text(paths[which])
            took[which].append(time.perf_counter() - started)
    page, api = (sorted(one)[ASKED * 99 // 100] for one in took)
    return page, api
