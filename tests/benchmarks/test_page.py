"""The page: its time beside that of the API, for the one answer with its name and for those with its data.

A page shows what several answers have: an incident's has its event, what is beside that, why it is grouped,
the events' table, and who was told.
"""

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
_API: Final = "/api/v1"
_LIST: Final = (f"{_API}/incidents?limit=50&sort=urgent", f"{_API}/incidents/facets", f"{_API}/stats")


def test_p1_page_beside_its_api() -> None:
    with temporary_home("page") as home:
        filled = asyncio.run(fill_sqlite(home / "faultwire.db", SCALE))
        worker = Worker(home)
        worker.start()
        try:
            asked = {"list": ("/", _LIST), "incident": _incident_of(worker)}
            for name, (page, answers) in asked.items():
                _compare(worker, name, page, answers, events=filled)
        finally:
            worker.kill()


def _incident_of(worker: Worker) -> tuple[str, Sequence[str]]:
    """The incident with most events: its page, and what the API says of all that the page shows."""
    hot = max(worker.get(f"{_API}/incidents?limit=1000")["incidents"], key=lambda one: int(one["count"]))[
        "id"
    ]
    newest = worker.get(f"{_API}/incidents/{hot}/events?limit=20")["events"]
    event = next((one for one in newest if one["body_kept"]), newest[0])["id"]
    return f"/incidents/{hot}", (
        f"{_API}/incidents/{hot}",
        f"{_API}/incidents/{hot}/events?limit=20",
        f"{_API}/events/{event}",
        f"{_API}/events/{event}/neighbours",
        f"{_API}/events/{event}/grouping",
        f"{_API}/alerts?incident={hot}",
    )


def _compare(worker: Worker, name: str, page: str, answers: Sequence[str], *, events: int) -> None:
    for what, those in (("one answer", answers[:1]), (f"{len(answers)} answers with its data", answers)):
        p99 = [_ask(worker, ((page,), those)) for _ in range(ROUNDS)]
        seen = {"ms": [ours * 1e3 for ours, _ in p99], "against": [api * 1e3 for _, api in p99]}
        text = f"P1 {name} as a page / by the API, {what}, p99, SQLite of {events:,} events"
        goal = "at most 3" if those is answers else "none"
        report(text, goal, [ours / api for ours, api in p99], seen)


def _ask(worker: Worker, sides: Sequence[Sequence[str]]) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(ASKED):
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            for path in sides[which]:
                assert worker.get_text(path)
            took[which].append(time.perf_counter() - started)
    page, api = (sorted(one)[ASKED * 99 // 100] for one in took)
    return page, api
