"""The worker against what one would write instead; `make bench` prints the ratios."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from tests.benchmarks import drain, naive_aio_pika
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.servers.process import wait_until
from tests.servers.rabbitmq import Nodes
from tests.tools.backlog import fill
from tests.tools.event import FINGERPRINTS, bodies
from tests.tools.usage import peak_mib

from faultwire_shared.event import BATCH_EVENTS, MESSAGE_BYTES, Lane
from faultwire_shared.topology import queue_of

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
EVENTS: Final = int(os.environ.get("BENCH_EVENTS", str(drain.WORKER_EVENTS)))
MANY: Final = 5_000
LARGE: Final = 300
LANE_SEVERITY: Final = {Lane.CRITICAL: "critical", Lane.HIGH: "high", Lane.ROUTINE: "medium"}

Candidate = Callable[[Nodes, Servers], drain.Drained]


def interleaved(
    part: str, nodes: Nodes, servers: Servers, **candidates: Candidate
) -> dict[str, list[drain.Drained]]:
    """Each candidate once a round, in turns."""
    taken: dict[str, list[drain.Drained]] = {name: [] for name in candidates}
    for turn in range(1, ROUNDS + 1):
        for name, candidate in candidates.items():
            taken[name].append(candidate(nodes, servers))
        rates = ", ".join(f"{name} {each[-1].rate:,.0f}/s" for name, each in taken.items())
        print(f"\n{part} round {turn}: {rates}")
    return taken


def report_ratio(text: str, goal: str, ours: list[drain.Drained], theirs: list[drain.Drained]) -> None:
    ratios = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
    seen = {"events/s": [one.rate for one in ours], "against": [one.rate for one in theirs]}
    report(text, goal, ratios, seen)


def faststream(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_naive(place)
        drain.check_counts(place, "incidents", drain.NAIVE_EVENTS)
    return drained


def aio_pika(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_naive(place, consumer=naive_aio_pika)
        drain.check_counts(place, "incidents", drain.NAIVE_EVENTS)
    return drained


def faststream_on_sqlite(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_naive(place, on_sqlite=True)
        drain.check_counts(place, "incidents", drain.NAIVE_EVENTS, sqlite_path=place.sqlite_path)
    return drained


def raw(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        return drain.consume_raw(place, EVENTS)


def ceiling(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.store_from_memory(place, EVENTS)
        drain.check_counts(place, "faultwire.incidents", EVENTS)
    return drained


def worker(
    *,
    a_message: int = BATCH_EVENTS,
    workers: int = 1,
    fingerprints: int = FINGERPRINTS,
    is_marked: bool = True,
) -> Candidate:
    def candidate(nodes: Nodes, servers: Servers) -> drain.Drained:
        with drain.fresh_place(nodes, servers) as place:
            drained = drain.drain_worker(
                place,
                EVENTS * workers,
                a_message=a_message,
                workers=workers,
                fingerprints=fingerprints,
                is_marked=is_marked,
            )
            drain.check_counts(place, "faultwire.incidents", EVENTS * workers, fingerprints=fingerprints)
            deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            assert place.database.execute(deadlocks) == "0"
        return drained

    return candidate


def worker_on_sqlite(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_worker(place, EVENTS, a_message=BATCH_EVENTS, on_sqlite=True)
        path = place.home / "worker-0" / "faultwire.db"
        drain.check_counts(place, "incidents", EVENTS, sqlite_path=path)
    return drained


def test_k1_k2_k6_events_in_batches_as_our_client_publishes_them(nodes: Nodes, servers: Servers) -> None:
    taken = interleaved(
        "K1", nodes, servers, faststream=faststream, aio_pika=aio_pika, worker=worker(), ceiling=ceiling
    )
    ours = taken["worker"]
    report_ratio(
        "K1 worker / naive FastStream consumer, events in batches", "at least 20", ours, taken["faststream"]
    )
    report_ratio(
        "K1 worker / naive aio-pika consumer, events in batches", "at least 12", ours, taken["aio_pika"]
    )
    report_ratio(
        "K2 worker / the same statements on one connection, from memory",
        "at least 0.85",
        ours,
        taken["ceiling"],
    )
    report("K6 resident memory at saturation, MiB at most", "at most 100", [one.peak_mib for one in ours])
    theirs = [one.peak_mib for one in taken["faststream"]]
    report("K6 the naive FastStream consumer's, MiB at most", "none", theirs)
    report("K1 worker's CPU an event, us", "none", [one.cpu_us for one in ours])


def test_k3_events_that_come_one_a_message(nodes: Nodes, servers: Servers) -> None:
    candidates = {"worker": worker(a_message=1), "unmarked": worker(a_message=1, is_marked=False)}
    taken = interleaved("K3", nodes, servers, faststream=faststream, raw=raw, **candidates)
    for kind, name in (("a foreign publisher's, unmarked", "unmarked"), ("marked as our client's", "worker")):
        text = f"K3 worker / naive FastStream consumer, one event a message, {kind}"
        report_ratio(text, "at least 8", taken[name], taken["faststream"])
        text = f"K3 worker / aio-pika consuming alone, {kind}"
        report_ratio(text, "at least 0.6", taken[name], taken["raw"])
        report(f"K3 worker's CPU an event, us, {kind}", "none", [one.cpu_us for one in taken[name]])


def test_k4_into_sqlite(nodes: Nodes, servers: Servers) -> None:
    taken = interleaved("K4", nodes, servers, faststream=faststream_on_sqlite, worker=worker_on_sqlite)
    text = "K4 worker / naive FastStream consumer with aiosqlite, into SQLite"
    report_ratio(text, "at least 18", taken["worker"], taken["faststream"])
    peaks = [one.peak_mib for one in taken["worker"]]
    report("K6 resident memory at saturation on SQLite, MiB at most", "at most 100", peaks)


def test_k6_memory_with_every_message_at_its_limit(nodes: Nodes, servers: Servers) -> None:
    peaks = [peak_at_the_limit(nodes, servers) for _ in range(ROUNDS)]
    text = "K6 resident memory with every message at its limit, all lanes, MiB at most"
    report(text, "under 512", peaks)


def peak_at_the_limit(nodes: Nodes, servers: Servers) -> float:
    with drain.fresh_place(nodes, servers) as place:
        worker = drain.worker_at(place, "worker", database_url=place.database.url)
        worker.prepare()
        for lane in Lane:
            key = f"event.{LANE_SEVERITY[lane]}.system.shop"
            fill(place.broker_url, at_their_limit(lane), count=LARGE, key=key, queue=queue_of(lane))
        worker.start()
        try:
            stored, count = "SELECT count(*) FROM faultwire.events", LARGE * len(Lane)
            wait_until(lambda: int(place.database.execute(stored)) == count, "all is stored", seconds=300)
            return peak_mib(worker.process.pid)
        finally:
            worker.kill()


def at_their_limit(lane: Lane) -> Iterator[bytes]:
    """Events of 256 KiB less a few bytes, each a large context of one bug."""
    for number, body in enumerate(bodies(LARGE, start=LARGE * sorted(Lane).index(lane))):
        event = json.loads(body)
        event["severity"] = LANE_SEVERITY[lane]
        event["context"] = {"large": f"{number} ", "basket": []}
        room = MESSAGE_BYTES - 100 - len(json.dumps(event))
        event["context"]["basket"] = ["apples and pears " * 50] * (room // 860)
        yield json.dumps(event).encode()


def test_w2_two_workers_of_one_queue_and_one_database(nodes: Nodes, servers: Servers) -> None:
    taken = interleaved("W2", nodes, servers, one=worker(), two=worker(workers=2))
    text = "W2 two workers / one, no deadlock, on two cores"
    report_ratio(text, "at least 1", taken["two"], taken["one"])


def test_f1_five_thousand_bugs(nodes: Nodes, servers: Servers) -> None:
    taken = interleaved("F1", nodes, servers, few=worker(), many=worker(fingerprints=MANY))
    report_ratio("F1 5,000 fingerprints / 200", "at least 0.4", taken["many"], taken["few"])
