"""What a full batch's transaction does at the database: its statements, and when it locks incidents."""

import asyncio
import json
import re
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
from msgspec import Struct
from tests.benchmarks.filling import deliveries_of, ingest_all, new_pipeline
from tests.servers.postgresql import PostgreSQL
from tests.tools.event import bodies

from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS
from faultwire_consumer.store.engine import open_store
from faultwire_shared.logging.logs import configure_process_logging

BATCHES: Final = 20
COMMITS: Final = 200
_SETTINGS: Final = ("log_min_duration = 0", "log_analyze = on", "log_format = 'json'", "log_level = 'log'")
_PLAN: Final = re.compile(r"duration: [\d.]+ ms  plan:\n\t(\{.*?\n\t\})", re.DOTALL)


class Transaction(Struct, frozen=True):
    """Of one batch."""

    statements: float
    before_lock: float
    """Share of the statement that records, until the incidents are locked."""


def explain(database: PostgreSQL) -> Transaction:
    """Store full batches of known bugs while the server tells what it does; the schema is up to date."""
    name = database.database
    database.execute(f"ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'")
    for setting in _SETTINGS:
        database.execute(f"ALTER DATABASE {name} SET auto_explain.{setting}")
    configure_process_logging(level="WARNING", log_format="console")
    begin = asyncio.run(_store_batches(database))
    plans = list(_plans(database.log.read_text()[begin:]))
    shares = [share for plan in plans if (share := _share_before_lock(plan)) is not None]
    assert len(shares) >= BATCHES
    return Transaction(len(plans) / len(shares), statistics.median(shares))


async def _store_batches(database: PostgreSQL) -> int:
    """Return where the server's log stood when all bugs were known."""
    store = await open_store(database.url)
    try:
        pipeline = await asyncio.to_thread(new_pipeline, store)
        await ingest_all(pipeline, deliveries_of(bodies(4 * BATCH_EVENTS, start=10**9)))
        begin = len(await asyncio.to_thread(database.log.read_text))
        await ingest_all(pipeline, deliveries_of(bodies(BATCHES * BATCH_EVENTS, start=2 * 10**9)))
        return begin
    finally:
        await store.close()


def _plans(log: str) -> Iterator[dict[str, Any]]:
    for found in _PLAN.finditer(log):
        yield json.loads(found[1])["Plan"]


def _share_before_lock(plan: dict[str, Any]) -> float | None:
    """Return when the incidents to lock were known, events inserted and grouped, as a share of all.

    A node's times count from its own first call: that of the lock itself says nothing of what came before.
    """
    known = [node for node in _nodes(plan) if node.get("Subplan Name") == "CTE per"]
    return float(known[0]["Actual Total Time"]) / float(plan["Actual Total Time"]) if known else None


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def commit_seconds(database: PostgreSQL) -> float:
    """The median time of a commit whose log has to reach the disk."""

    async def commit() -> float:
        connection = await asyncpg.connect(database.url)
        try:
            await connection.execute("CREATE TABLE commits (id bigint)")
            took = []
            for number in range(COMMITS):
                started = time.perf_counter()
                await connection.execute("INSERT INTO commits VALUES ($1)", number)
                took.append(time.perf_counter() - started)
            return statistics.median(took)
        finally:
            await connection.close()

    return asyncio.run(commit())
