"""The worker against what one would write instead; `make bench` prints the ratios."""

import os
from collections.abc import Iterator
from typing import Final

import pytest
from tests.benchmarks import drain
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes

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


def test_k3_events_that_come_one_a_message(nodes: Nodes, servers: Servers) -> None:
    ratios = []
    for turn in range(1, ROUNDS + 1):
        with drain.fresh_place(nodes, servers) as place:
            naive = drain.drain_naive(place)
            drain.check_counts(place.database, "incidents", drain.NAIVE_EVENTS)
        with drain.fresh_place(nodes, servers) as place:
            worker = drain.drain_worker(place, EVENTS)
            drain.check_counts(place.database, "faultwire.incidents", EVENTS)
        ratios.append(worker.rate / naive.rate)
        print(  # noqa: T201 - a benchmark's result is what it prints
            f"\nround {turn}: naive FastStream {naive.rate:,.0f}/s over {naive.seconds:.1f} s, "
            f"worker {worker.rate:,.0f}/s over {worker.seconds:.1f} s: {ratios[-1]:.1f}"
        )
    print(drain.describe("K3 worker / naive FastStream, one event a message", "at least 8", ratios))  # noqa: T201
