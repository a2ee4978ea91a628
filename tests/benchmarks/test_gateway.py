"""The gateway beside Bugsink: the same traffic of Sentry's SDKs, by one loader, on SQLite and by defaults.

Bugsink runs as its guide says for one server: gunicorn answers when an event is on its disk, and snappea
digests it then. The gateway's worker has no broker, so it answers when an event is stored.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from tests.benchmarks import bugsink
from tests.benchmarks.posting import A_SECOND, Receiver, Taken, load
from tests.benchmarks.report import report
from tests.benchmarks.sentry_traffic import Project
from tests.servers.process import temporary_home
from tests.servers.worker import Worker

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
OURS: Final = int(os.environ.get("BENCH_EVENTS", "6000"))
THEIRS: Final = max(100, OURS // 10)
CALM: Final = 100
SERVICES: Final = 5


def test_k7_beside_bugsink_with_the_traffic_of_sentrys_sdks() -> None:
    if why_not := bugsink.install():
        print(f"\nK7 IS NOT MEASURED: Bugsink cannot be installed here.\n{why_not}")
        return
    ours: list[Taken] = []
    theirs: list[Taken] = []
    for turn in range(1, ROUNDS + 1):
        with temporary_home("bugsink") as home, their_receiver(home) as receiver:
            theirs.append(load(receiver, THEIRS, CALM))
        with temporary_home("gateway") as home, our_receiver(home) as receiver:
            ours.append(load(receiver, OURS, CALM))
        print(f"\nK7 round {turn}: gateway {ours[-1].rate:,.0f}/s, Bugsink {theirs[-1].rate:.1f}/s")
    tell("gateway / Bugsink, SQLite both, events stored", "at least 5", ours, theirs)


def tell(text: str, goal: str, ours: list[Taken], theirs: list[Taken]) -> None:
    pairs = list(zip(ours, theirs, strict=True))
    rates = {"events/s": [one.rate for one in ours], "against": [one.rate for one in theirs]}
    report(f"K7 {text}", goal, [one.rate / other.rate for one, other in pairs], rates)
    cpu = {"ms": [one.cpu_ms for one in ours], "against": [one.cpu_ms for one in theirs]}
    ratios = [other.cpu_ms / one.cpu_ms for one, other in pairs]
    report("K7 the same: CPU of an event, theirs / the gateway's", "none", ratios, cpu)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        took = [quantile(one, share) for one in ours], [quantile(one, share) for one in theirs]
        ratios = [other / one for one, other in zip(*took, strict=True)]
        text = f"K7 {name} from a request to the row at {A_SECOND}/s, theirs / the gateway's"
        report(text, "none", ratios, {"ms": took[0], "against": took[1]})


def quantile(one: Taken, share: float) -> float:
    """Milliseconds."""
    return sorted(one.seconds)[min(len(one.seconds) - 1, int(len(one.seconds) * share))] * 1e3


@contextmanager
def their_receiver(home: Path) -> Iterator[Receiver]:
    installed = bugsink.set_up(home, projects=SERVICES)
    with bugsink.running(installed) as (port, processes):
        yield Receiver(
            port=port,
            database=installed.database,
            ids="SELECT rowid, event_id FROM events_event WHERE rowid > ? ORDER BY rowid",
            pids=[process.pid for process in processes],
            projects=installed.projects,
            headers=bugsink.HEADERS,
        )


@contextmanager
def our_receiver(home: Path) -> Iterator[Receiver]:
    worker = Worker(home)
    worker.prepare()
    projects = [make_project(worker, f"shop-{number}") for number in range(SERVICES)]
    worker.start()
    try:
        yield Receiver(
            port=worker.port,
            database=home / "faultwire.db",
            ids="SELECT rowid, event_id FROM events WHERE rowid > ? AND service LIKE 'shop-%' ORDER BY rowid",
            pids=[worker.process.pid],
            projects=projects,
            headers={},
        )
    finally:
        worker.terminate()


def make_project(worker: Worker, service: str) -> Project:
    """What stands in a DSN: its user and its path."""
    made = worker.command("access", "token", "create", "--sentry-dsn", service).strip()
    dsn = urlsplit(made)
    assert dsn.username is not None
    return Project(dsn.path.rpartition("/")[2], dsn.username)
