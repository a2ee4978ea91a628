"""A store that is full against one that is not: ingest in turns, and what operators ask, in turns too.

``SCALE`` is the larger store's events on PostgreSQL, 10,000,000 for the goal; SQLite stops at 1,000,000.
"""

import asyncio
import os
import time
import urllib.parse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from tests.benchmarks.drain import script_environment
from tests.benchmarks.feeding import fed
from tests.benchmarks.filling import deliveries_of, fill_postgresql, fill_sqlite, ingest_all, new_pipeline
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.servers.process import temporary_home
from tests.servers.rabbitmq import Nodes
from tests.servers.worker import Worker
from tests.tools.event import bodies

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS
from faultwire_consumer.store.engine import open_store
from faultwire_shared.logging.logs import configure_process_logging

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(7200)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
SCALE: Final = int(os.environ.get("SCALE", "1000000"))
SMALL: Final = min(100_000, SCALE // 10)
LARGE_ON_SQLITE: Final = min(SCALE, 1_000_000)
BATCHES: Final = 40
"""A round's, of each store."""
WARM_BATCHES: Final = 4
LOADED_ROUNDS: Final = min(ROUNDS, 3)
HALF_ON_POSTGRESQL: Final = 5_000.0
HALF_ON_SQLITE: Final = 2_200.0
"""Events a second: half of what one worker stores (K1, K4)."""
ASKED: Final = int(os.environ.get("BENCH_ASKED", "200"))
QUERIES: Final = {
    "list": "/api/v1/incidents?limit=50",
    "list by filters": "/api/v1/incidents?severity=medium&service=shop&since=24h&limit=50",
    "search": "/api/v1/incidents?" + urllib.parse.urlencode({"query": '"basket at step 117"', "limit": 50}),
    "search by the language": "/api/v1/incidents?"
    + urllib.parse.urlencode({"query": 'severity:medium service:shop -code:TIMEOUT "price" since:24h'}),
    "search by a value": "/api/v1/incidents?"
    + urllib.parse.urlencode({"query": "tag.plan:team type:KeyError"}),
    "search for what nobody says": "/api/v1/incidents?" + urllib.parse.urlencode({"query": "zanzibar"}),
    "events by text": "/api/v1/events?" + urllib.parse.urlencode({"query": '"basket at step 117"'}),
    "events by a common text": "/api/v1/events?" + urllib.parse.urlencode({"query": "price"}),
    "events by a value": "/api/v1/events?" + urllib.parse.urlencode({"query": "host:web-*"}),
    "incident": "/api/v1/incidents/{hot}",
    "an incident's events": "/api/v1/incidents/{hot}/events?limit=50",
    "trend, as the page has it": "/incidents/{hot}",
    "events": "/api/v1/events?limit=50",
}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """A line for each new incident is a worker's, not a benchmark's."""
    configure_process_logging(level="WARNING", log_format="console")


async def time_ingest(urls: Sequence[str]) -> list[tuple[float, float]]:
    """Seconds of each store, a pair a round; batches in turns, and who begins changes."""
    stores = [await open_store(url) for url in urls]
    try:
        pipelines = [await asyncio.to_thread(new_pipeline, store) for store in stores]
        for pipeline in pipelines:
            await ingest_all(pipeline, deliveries_of(bodies(WARM_BATCHES * BATCH_EVENTS, start=10**10)))
        return [await _round(pipelines, 10**11 + turn * 10**9) for turn in range(ROUNDS)]
    finally:
        for store in stores:
            await store.close()


async def _round(pipelines: Sequence[Pipeline], start: int) -> tuple[float, float]:
    took = [0.0, 0.0]
    for number in range(BATCHES):
        batch = deliveries_of(bodies(BATCH_EVENTS, start=start + number * BATCH_EVENTS))
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            await ingest_all(pipelines[which], batch)
            took[which] += time.perf_counter() - started
    return took[0], took[1]


def report_ingest(where: str, took: Sequence[tuple[float, float]]) -> None:
    rates = [[BATCHES * BATCH_EVENTS / each[which] for each in took] for which in (0, 1)]
    seen = {"events/s": rates[1], "against": rates[0]}
    report(f"G1 ingest into {where}", "at least 0.9", [small / large for small, large in took], seen)


def time_queries(urls: Sequence[str], where: str) -> None:
    """Ask a worker of each store in turns, over HTTP as operators do."""
    with ExitStack() as stack:
        workers = []
        for url in urls:
            worker = Worker(stack.enter_context(temporary_home("asked")), database_url=url)
            worker.start()
            stack.callback(worker.kill)
            workers.append(worker)
        hot = [_hottest(worker) for worker in workers]
        for name, path in QUERIES.items():
            paths = [path.replace("{hot}", one) for one in hot]
            p99 = [_ask(workers, paths) for _ in range(ROUNDS)]
            seen = {"ms": [large * 1e3 for _, large in p99], "against": [small * 1e3 for small, _ in p99]}
            ratios = [large / small for small, large in p99]
            report(f"G1 {name}, p99, {where}", _goal_of(name), ratios, seen)


def time_queries_under_load(urls: Sequence[str], where: str, nodes: Nodes, per_second: float) -> None:
    """The same while events come in at half of the rate, each store by turns with a worker of its own."""
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in QUERIES}
    for _ in range(LOADED_ROUNDS):
        for which, url in enumerate(urls):
            for name, p99 in _ask_under_load(url, nodes, per_second).items():
                taken[name][which].append(p99)
    for name, (small, large) in taken.items():
        seen = {"ms": [one * 1e3 for one in large], "against": [one * 1e3 for one in small]}
        ratios = [one / other for one, other in zip(large, small, strict=True)]
        text = f"G3 {name}, p99, while {per_second:,.0f} events/s come in, {where}"
        report(text, _goal_of(name), ratios, seen)


def _ask_under_load(url: str, nodes: Nodes, per_second: float) -> dict[str, float]:
    """The 99th hundredth of each query, seconds."""
    with nodes.shared() as broker, temporary_home("asked") as home:
        worker = Worker(home, broker_url=broker.url, database_url=url)
        worker.command("topology", "apply")
        worker.start()
        try:
            hot = _hottest(worker)
            with fed(broker.url, per_second, home, script_environment(home)):
                return {name: _p99(worker, path.replace("{hot}", hot)) for name, path in QUERIES.items()}
        finally:
            worker.kill()


def _p99(worker: Worker, path: str) -> float:
    took = []
    for _ in range(ASKED):
        started = time.perf_counter()
        assert worker.get_text(path)
        took.append(time.perf_counter() - started)
    return sorted(took)[ASKED * 99 // 100]


def _goal_of(name: str) -> str:
    return "at most 3" if "search" in name or " by " in name else "at most 2"


def _hottest(worker: Worker) -> str:
    """Of the incidents that were seen last, the one with the most events."""
    incidents = worker.get("/api/v1/incidents?limit=1000")["incidents"]
    return str(max(incidents, key=lambda one: one["count"])["id"])


def _ask(workers: Sequence[Worker], paths: Sequence[str]) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(ASKED):
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            assert workers[which].get_text(paths[which])
            took[which].append(time.perf_counter() - started)
    small, large = (sorted(one)[ASKED * 99 // 100] for one in took)
    return small, large


def test_g1_g3_on_postgresql(nodes: Nodes, servers: Servers, tmp_path: Path) -> None:
    where = f"PostgreSQL of {SCALE:,} events / of {SMALL:,}"
    with servers.shared() as small, servers.shared() as large:
        for database, events in ((small, SMALL), (large, SCALE)):
            Worker(tmp_path, database_url=database.url).command("db", "upgrade")
            started = time.monotonic()
            filled = asyncio.run(fill_postgresql(database.url, events))
            print(f"\n{filled:,} events in {time.monotonic() - started:.0f} s")
            assert filled >= events * 0.8
        report_ingest(where, asyncio.run(time_ingest([small.url, large.url])))
        for database in (small, large):
            counted = [database.execute(f"SELECT sum(count) FROM faultwire.{table}") for table in _COUNTED]
            assert len(set(counted)) == 1, counted
        time_queries([small.url, large.url], where)
        time_queries_under_load([small.url, large.url], where, nodes, HALF_ON_POSTGRESQL)


def test_g1_g3_on_sqlite(nodes: Nodes) -> None:
    where = f"SQLite of {LARGE_ON_SQLITE:,} events / of {SMALL:,}"
    with temporary_home("growth") as home:
        paths = [home / "small.db", home / "large.db"]
        for path, events in zip(paths, (SMALL, LARGE_ON_SQLITE), strict=True):
            started = time.monotonic()
            filled = asyncio.run(fill_sqlite(path, events))
            print(f"\n{filled:,} events in {time.monotonic() - started:.0f} s")
            assert filled >= events * 0.8
        urls = [f"sqlite:///{path}" for path in paths]
        report_ingest(where, asyncio.run(time_ingest(urls)))
        time_queries(urls, where)
        time_queries_under_load(urls, where, nodes, HALF_ON_SQLITE)


_COUNTED: Final = ("events", "incidents", "hourly")
