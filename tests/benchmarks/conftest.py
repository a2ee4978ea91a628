"""The servers of the benchmarks, and how far they go.

``SCALE`` (events, 1,000,000 if not said) is the backlog of L3 and the larger store of G1; ``BENCH_ROUNDS``
and ``BENCH_EVENTS`` make a part longer or shorter.
"""

import asyncio
from collections.abc import Iterator

import pytest
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes
from tests.tools.publisher import declare


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.stop()


@pytest.fixture
def broker_url(nodes: Nodes) -> Iterator[str]:
    with nodes.shared() as broker:
        asyncio.run(declare(broker.url))
        yield broker.url


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """PostgreSQL as it is shipped: every commit is on the disk before it is told."""
    servers = Servers(durable=True)
    yield servers
    servers.stop()
