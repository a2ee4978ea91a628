"""What an event takes on the disk, with its body and without: what the table of sizes is made of."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.tools.event import bodies
from tests.tools.migrating import upgrade

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store

BATCH: Final = 500
EVENTS: Final = 20_000
"""Of each kind, behind as many that make the tables their usual size."""

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.may_block("weighs the database's files"),
]


async def store_events(store: Store, *, start: int, fingerprints: int) -> None:
    policy = await asyncio.to_thread(read_policy, None)
    pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy))
    raw = bodies(EVENTS, now=datetime.now(UTC), start=start, fingerprints=fingerprints)
    while batch := list(islice(raw, BATCH)):
        await pipeline.ingest([read_delivery(one, None, origin="memory", handle=None) for one in batch])


async def weigh(url: str, size: Callable[[], int]) -> tuple[float, float, float]:
    """Bytes an event: with its body, without, and how many of the latter have one all the same."""
    await upgrade(url)
    store = await open_store(url)
    try:
        await store_events(store, start=0, fingerprints=200)
        before = await asyncio.to_thread(size)
        await store_events(store, start=EVENTS, fingerprints=200)  # 200 bodies an incident: all are kept
        between = await asyncio.to_thread(size)
        await store_events(store, start=2 * EVENTS, fingerprints=1)  # its budget is soon spent
        middle = await asyncio.to_thread(size)
        await store_events(store, start=3 * EVENTS, fingerprints=1)
        after = await asyncio.to_thread(size)
    finally:
        await store.close()
    return (between - before) / EVENTS, (after - middle) / EVENTS, (middle - between) / EVENTS


def tell(database: str, weights: tuple[float, float, float]) -> None:
    kept, narrow, first = weights
    seen = {"the first 20,000 of one bug, bytes each": [first]}
    report(f"disk: {database}, bytes an event with its body", "none", [kept])
    report(f"disk: {database}, bytes an event whose body is not kept", "none", [narrow], seen)
    assert 0 < narrow < kept


async def test_disk_postgresql(servers: Servers) -> None:
    with servers.shared() as database:

        def size() -> int:
            sql = (
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
                "WHERE relnamespace = 'faultwire'::regnamespace AND relkind IN ('r', 'm')"
            )
            return int(database.execute(sql))

        tell("PostgreSQL", await weigh(database.url, size))


async def test_disk_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "faultwire.db"

    def size() -> int:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (pages,), (of,) = (
                connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
            )
            return int(pages) * int(of)
        finally:
            connection.close()

    tell("SQLite", await weigh(f"sqlite:///{path}", size))
