"""What an event takes on the disk, with its body and without: what the table of sizes is made of."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.tools.event import bodies
from tests.tools.migrating import upgrade
from tests.tools.varied import varied_bodies

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.body_packing import CLEAR_LOOKS, DictionaryTrainer
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_shared.clock import utc_now

BATCH: Final = 500
EVENTS: Final = 20_000
"""Of each kind, behind as many that make the tables their usual size."""
VARIED: Final = 4_000
"""Of the varied ones, which are four times as large."""

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.may_block("weighs the database's files"),
]


class Weights(Struct, frozen=True):
    """Bytes an event on the disk, with every index."""

    kept: float
    """With its body, alike to the others of its bug."""
    narrow: float
    """Without."""
    first: float
    """Of the first that are of one bug; some of them have a body."""
    varied: float
    """With a body that no other is like."""
    varied_json: float
    """As it came."""


async def store_events(store: Store, raw: Iterator[bytes]) -> int:
    """Store them, and return how many bytes they came as."""
    policy = await asyncio.to_thread(read_policy, None)
    pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(policy))
    size = 0
    while batch := list(islice(raw, BATCH)):
        size += sum(map(len, batch))
        await pipeline.ingest([read_delivery(one, None, origin="memory", handle=None) for one in batch])
    return size


async def weigh(url: str, size: Callable[[], int]) -> Weights:
    """Weigh events of a store that has the dictionary which a worker trains in its first minutes."""
    await upgrade(url)
    packing, now = Packing(), datetime.now(UTC)
    store = await open_store(url, packing=packing)
    trainer = DictionaryTrainer(store, packing, clock=utc_now)
    sizes: list[int] = []

    async def step(raw: Iterator[bytes]) -> int:
        came = await store_events(store, raw)
        sizes.append(await asyncio.to_thread(size))
        return came

    try:
        await store_events(store, bodies(EVENTS // 2, now=now))
        await store_events(store, varied_bodies(VARIED, now=now))
        for _ in range(CLEAR_LOOKS):
            await trainer.train()
        assert packing.dictionary_id is not None
        await step(bodies(EVENTS // 2, now=now, start=EVENTS // 2))
        await step(bodies(EVENTS, now=now, start=EVENTS))  # 200 bodies an incident: all are kept
        await step(bodies(EVENTS, now=now, start=2 * EVENTS, fingerprints=1))  # its budget is soon spent
        await step(bodies(EVENTS, now=now, start=3 * EVENTS, fingerprints=1))
        came = await step(varied_bodies(VARIED, now=now, start=VARIED))
    finally:
        await store.close()
    kept, first, narrow = ((after - before) / EVENTS for before, after in pairwise(sizes[:4]))
    return Weights(kept, narrow, first, (sizes[4] - sizes[3]) / VARIED, came / VARIED)


def tell(database: str, weights: Weights, *, goal: int) -> None:
    first = {"the first 20,000 of one bug, bytes each": [weights.first]}
    came = {"bytes of JSON that they came as": [weights.varied_json]}
    report(f"disk: {database}, bytes an event with its body", f"at most {goal}", [weights.kept])
    report(
        f"disk: {database}, bytes an event that is like no other, with its body",
        "none",
        [weights.varied],
        came,
    )
    report(f"disk: {database}, bytes an event whose body is not kept", "at most 190", [weights.narrow], first)
    assert 0 < weights.narrow < weights.kept < weights.varied


async def test_disk_postgresql(servers: Servers) -> None:
    with servers.shared() as database:

        def size() -> int:
            sql = (
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
                "WHERE relnamespace = 'faultwire'::regnamespace AND relkind IN ('r', 'm')"
            )
            return int(database.execute(sql))

        tell("PostgreSQL", await weigh(database.url, size), goal=700)


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

    tell("SQLite", await weigh(f"sqlite:///{path}", size), goal=800)
