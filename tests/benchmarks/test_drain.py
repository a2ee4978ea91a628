"""The worker against what one would write instead; `make bench` prints the ratios."""

import os
from collections.abc import Iterator
from typing import Final

import pytest
from tests.benchmarks import drain
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes

from faultwire_shared.event import BATCH_EVENTS

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
EVENTS: Final = int(os.environ.get("BENCH_EVENTS", str(drain.WORKER_EVENTS)))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.stop()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """PostgreSQL as it is shipped: every commit is on the disk before it is told."""
    servers = Servers(durable=True)
    yield servers
    servers.stop()


def test_k1_events_in_batches_as_our_client_publishes_them(nodes: Nodes, servers: Servers) -> None:
    ratios = []
    for turn in range(1, ROUNDS + 1):
        naive = _naive(nodes, servers)
        worker = _worker(nodes, servers, a_message=BATCH_EVENTS)
        ratios.append(worker.rate / naive.rate)
        _say(f"K1 round {turn}", {"naive FastStream": naive, "worker": worker})
    print(drain.describe("K1 worker / naive FastStream, events in batches", "at least 20", ratios))


def test_k3_events_that_come_one_a_message(nodes: Nodes, servers: Servers) -> None:
    ratios, of_raw = [], []
    for turn in range(1, ROUNDS + 1):
        naive = _naive(nodes, servers)
        worker = _worker(nodes, servers)
        with drain.fresh_place(nodes, servers) as place:
            raw = drain.consume_raw(place, EVENTS)
        ratios.append(worker.rate / naive.rate)
        of_raw.append(worker.rate / raw.rate)
        _say(f"K3 round {turn}", {"naive FastStream": naive, "worker": worker, "aio-pika alone": raw})
    print(drain.describe("K3 worker / naive FastStream, one event a message", "at least 8", ratios))
    print(drain.describe("K3 worker / aio-pika consuming alone", "at least 0.6", of_raw))


def _naive(nodes: Nodes, servers: Servers) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_naive(place)
        drain.check_counts(place.database, "incidents", drain.NAIVE_EVENTS)
    return drained


def _worker(nodes: Nodes, servers: Servers, *, a_message: int = 1) -> drain.Drained:
    with drain.fresh_place(nodes, servers) as place:
        drained = drain.drain_worker(place, EVENTS, a_message=a_message)
        drain.check_counts(place.database, "faultwire.incidents", EVENTS)
    return drained


def _say(turn: str, results: dict[str, drain.Drained]) -> None:
    rates = (f"{name} {result.rate:,.0f}/s over {result.seconds:.1f} s" for name, result in results.items())
    print(f"\n{turn}: {', '.join(rates)}")
