"""From `handle_error` to the committed row: in peace beside a naive consumer, and behind a million events."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest
from msgspec import Struct
from tests.benchmarks import drain, emitting, naive_aio_pika, naive_store
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.servers.process import ServerProcess, wait_until
from tests.servers.rabbitmq import Nodes
from tests.tools.backlog import fill, messages
from tests.tools.event import FINGERPRINTS, bodies

from faultwire_shared.event import BATCH_EVENTS

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
WARM: Final = 1_000
BURST: Final = 100
RATE: Final = 100
KEY: Final = "event.medium.system.shop"

SCALE: Final = int(os.environ.get("SCALE", "1000000"))
BACKLOG: Final = min(SCALE, 1_000_000)
BACKLOG_ROUNDS: Final = min(3, ROUNDS)
CRITICAL_RATE: Final = 20
IDLE_EVENTS: Final = 400
MOST_CRITICAL: Final = 20_000
KEYS: Final = {"high": "event.high.system.shop", "medium": KEY}
QUEUES: Final = {"high": "faultwire.high", "medium": "faultwire.routine"}


class Latency(Struct, frozen=True):
    """Seconds from hand-over to commit: of first sights, of known incidents, of many first sights at once."""

    cold: list[float]
    warm: list[float]
    burst: list[float]


def quantile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


@contextmanager
def emitting_to(
    place: drain.Place,
    emitter: str,
    url: str,
    events: int,
    *,
    rate: int,
    kinds: int,
    severity: str,
    burst: int = 0,
) -> Iterator[ServerProcess]:
    """The emitter at work; `handed_over` says what it did so far."""
    words = [emitter, url, str(events), str(rate), str(kinds), severity, str(burst)]
    command = [sys.executable, emitting.__file__, *words]
    process = ServerProcess(command, drain.script_environment(place.home), place.home / "emitted.log")
    try:
        yield process
    finally:
        process.end()


def handed_over(process: ServerProcess) -> dict[str, float]:
    """When each event was handed over, in order."""
    lines = (line.split() for line in process.log.read_text().splitlines())
    return {words[0]: float(words[1]) for words in lines if len(words) == 2 and words[0].startswith("error_")}


def emit(place: drain.Place, emitter: str, url: str) -> dict[str, float]:
    """A first sight of each bug, the warm ones, then new bugs at once; when each was handed over."""
    steady, events = FINGERPRINTS + WARM, FINGERPRINTS + WARM + BURST
    with emitting_to(
        place, emitter, url, steady, rate=RATE, kinds=FINGERPRINTS, severity="medium", burst=BURST
    ) as process:
        wait_until(lambda: not process.is_running, "everything is emitted", seconds=drain.PATIENCE_SECONDS)
        assert process.end() == 0, process.log.read_text()
    handed = handed_over(process)
    assert len(handed) == events, process.log.read_text()[-2000:]
    return handed


def commits(place: drain.Place, table: str, key: str, ids: Mapping[str, float]) -> dict[str, float]:
    """When the row of each of these events was committed; waits for the last of them."""
    committed = f"SELECT {key}, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM {table}"
    found: dict[str, float] = {}

    def has_all() -> bool:
        lines = (line.split("|") for line in place.database.execute(committed).splitlines())
        found.update({event_id: float(at) for event_id, at in lines if event_id in ids})
        return len(found) == len(ids)

    wait_until(has_all, f"{len(ids):,} rows in {table}", seconds=drain.PATIENCE_SECONDS, pause=0.5)
    return found


def latency_of(handed: Mapping[str, float], committed: Mapping[str, float]) -> Latency:
    took = [committed[event_id] - at for event_id, at in handed.items()]
    return Latency(took[:FINGERPRINTS], took[FINGERPRINTS:-BURST], took[-BURST:])


def naive(nodes: Nodes, servers: Servers) -> Latency:
    with drain.fresh_place(nodes, servers) as place:
        place.database.execute(naive_store.ON_POSTGRESQL)
        fill(place.broker_url, [], exchange="", key="naive", queue="naive", count=0)
        with drain.naive_process(place, naive_aio_pika, place.database.url) as process:
            _see_consuming(place, process)
            handed = emit(place, "plain", f"{place.broker_url}#/naive")
            return latency_of(handed, commits(place, "events", "id", handed))


def _see_consuming(place: drain.Place, process: ServerProcess) -> None:
    """One event goes through first, so that neither side's start is measured."""
    fill(place.broker_url, [], exchange="", key="naive", queue="naive", count=0)
    connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    process.wait_until(lambda: int(place.database.execute(connected)) > naive_store.POOL, "it has its pool")


@contextmanager
def working(place: drain.Place) -> Iterator[None]:
    worker = drain.worker_at(place, "worker", database_url=place.database.url)
    worker.prepare()
    worker.start()
    try:
        yield
    finally:
        worker.kill()


def ours(nodes: Nodes, servers: Servers, *, emitter: str = "ours") -> Latency:
    with drain.fresh_place(nodes, servers) as place, working(place):
        target = "" if emitter == "ours" else f"#faultwire.events/{KEY}"
        handed = emit(place, emitter, place.broker_url + target)
        committed = commits(place, "faultwire.events", "event_id", handed)
        _check_counted(place, len(handed))
        return latency_of(handed, committed)


def _check_counted(place: drain.Place, events: int) -> None:
    """Each bug has one incident, which counts each event once; the client's first one is another."""
    counted = place.database.execute(
        "SELECT count(*), sum(count) FROM faultwire.incidents WHERE service = 'shop'"
    )
    incidents, total = map(int, counted.split("|"))
    assert total == int(
        place.database.execute("SELECT count(*) FROM faultwire.events WHERE service = 'shop'")
    )
    assert (incidents - (FINGERPRINTS + BURST), total - events) in ((0, 0), (1, 1))


def test_l1_from_handle_error_to_the_committed_row(nodes: Nodes, servers: Servers) -> None:
    rounds = []
    for turn in range(1, ROUNDS + 1):
        each = {
            "naive": naive(nodes, servers),
            "ours": ours(nodes, servers),
            "plain": ours(nodes, servers, emitter="plain"),
        }
        rounds.append(each)
        for name, one in each.items():
            parts = (
                f"{kind} {quantile(took, 0.5) * 1e3:.2f} / {quantile(took, 0.99) * 1e3:.2f}"
                for kind, took in (("known", one.warm), ("first sight", one.cold), ("burst", one.burst))
            )
            print(f"\nL1 round {turn} {name}, p50 / p99 ms: {', '.join(parts)}", flush=True)
    for text, side, kind, share, goal in (
        ("L1 known incident, p50 / the naive aio-pika consumer's", "ours", "warm", 0.5, "at most 1.3"),
        ("L1 known incident, p99 / the naive aio-pika consumer's", "ours", "warm", 0.99, "at most 1.5"),
        ("L1 first sight, p50 / the naive aio-pika consumer's", "ours", "cold", 0.5, "at most 2.5"),
        ("L1 first sight, p99 / the naive aio-pika consumer's", "ours", "cold", 0.99, "at most 4"),
        (f"L1 {BURST} new incidents at once, p50 / the naive one's", "ours", "burst", 0.5, "at most 2.5"),
        (f"L1 {BURST} new incidents at once, p99 / the naive one's", "ours", "burst", 0.99, "at most 4"),
        ("L1 worker alone, first sight, p50", "plain", "cold", 0.5, "none"),
        ("L1 worker alone, first sight, p99", "plain", "cold", 0.99, "none"),
        ("L1 worker alone, published by aio-pika too, p50", "plain", "warm", 0.5, "none"),
        ("L1 worker alone, published by aio-pika too, p99", "plain", "warm", 0.99, "none"),
    ):
        took = [quantile(getattr(each[side], kind), share) * 1e3 for each in rounds]
        theirs = [quantile(getattr(each["naive"], kind), share) * 1e3 for each in rounds]
        ratios = [one / other for one, other in zip(took, theirs, strict=True)]
        report(text, goal, ratios, {"ms": took, "against": theirs})


def test_l3_critical_events_behind_a_backlog(nodes: Nodes, servers: Servers) -> None:
    idle, busy, allowed = [], [], []
    for turn in range(1, BACKLOG_ROUNDS + 1):
        idle.append(critical_p99(nodes, servers, backlog=0))
        busy.append(critical_p99(nodes, servers, backlog=BACKLOG))
        allowed.append(busy[-1] / (1.5 * idle[-1] + 100))
        print(f"\nL3 round {turn}: p99 idle {idle[-1]:.1f} ms, behind {BACKLOG:,} events {busy[-1]:.1f} ms")
    text = f"L3 critical p99 behind {BACKLOG:,} queued events"
    report(f"{text}, event and notification committed, ms", "under 1000", busy, {"idle ms": idle})
    report(f"{text} / (1.5 x idle p99 + 100 ms)", "at most 1", allowed)


def critical_p99(nodes: Nodes, servers: Servers, *, backlog: int) -> float:
    """Milliseconds until event and notification are committed; each critical event is a bug of its own."""
    with drain.fresh_place(nodes, servers) as place:
        worker = drain.worker_at(place, "worker", database_url=place.database.url)
        worker.prepare()
        for number, severity in enumerate(KEYS if backlog else ()):
            queued = bodies(backlog // 2, start=number * backlog, severity=severity)
            fill(
                place.broker_url,
                messages(queued, BATCH_EVENTS),
                count=backlog // 2 // BATCH_EVENTS,
                key=KEYS[severity],
                queue=QUEUES[severity],
            )
        worker.start()
        events = MOST_CRITICAL if backlog else IDLE_EVENTS
        try:
            with emitting_to(
                place,
                "ours",
                place.broker_url,
                events,
                rate=CRITICAL_RATE,
                kinds=MOST_CRITICAL,
                severity="critical",
            ) as process:
                handed = _handed_while(place, process, backlog)
            committed = commits(place, "faultwire.events", "event_id", handed)
        finally:
            worker.kill()
        _check_told(place, handed, backlog)
    return quantile([committed[event_id] - at for event_id, at in handed.items()], 0.99) * 1e3


def _handed_while(place: drain.Place, process: ServerProcess, backlog: int) -> dict[str, float]:
    """What was handed over until the last of the backlog was stored, or all of it without one."""
    if not backlog:
        wait_until(lambda: not process.is_running, "everything is emitted", seconds=drain.PATIENCE_SECONDS)
        return handed_over(process)
    others = "SELECT count(*) FROM faultwire.events WHERE severity < 4"

    def is_drained() -> bool:
        assert process.is_running, process.log.read_text()[-2000:]
        return int(place.database.execute(others)) >= backlog

    wait_until(is_drained, "the backlog is stored", seconds=3 * drain.PATIENCE_SECONDS, pause=2.0)
    last = others.replace("count(*)", "extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))")
    until = float(place.database.execute(last))
    handed = {event_id: at for event_id, at in handed_over(process).items() if at < until}
    assert len(handed) >= CRITICAL_RATE, "the backlog was stored before anything critical came"
    time.sleep(1.0)  # the emitter's publisher may still hold the last of them
    return handed


def _check_told(place: drain.Place, handed: Mapping[str, float], backlog: int) -> None:
    """Each has its notification, of the same transaction; the backlog is exact too."""
    told = place.database.execute("SELECT DISTINCT event_id FROM faultwire.outbox WHERE severity = 4")
    assert set(handed) <= set(told.splitlines())
    events = "SELECT sum(count) FROM faultwire.events WHERE severity BETWEEN 2 AND 3"
    assert int(place.database.execute(events) or 0) == backlog
