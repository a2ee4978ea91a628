"""A database in which no event can be stored for a while, so that a fault finds a batch in mid-flight."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from msgspec import Struct
from tests.servers.process import PATIENCE_SECONDS
from tests.tools.bench import Bench, running
from tests.tools.waiting import until

from faultwire_consumer.store.postgresql.partition import make_partition
from faultwire_consumer.store.schema.events import DAYS_AHEAD

# Who waits for another's fingerprint waits for a transaction: a lock without a database, but others have one.
_HELD: Final = """
    SELECT count(DISTINCT w.pid) FROM pg_locks w JOIN pg_locks h ON h.pid = w.pid AND h.granted
    WHERE NOT w.granted AND h.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Standstill(Struct):
    """Another session of the same database, which holds the events."""

    connection: asyncpg.Connection

    async def release(self) -> None:
        """Let what waits go on."""
        await self.connection.execute("ROLLBACK")

    async def wait_for_batches(self, batches: int = 1) -> None:
        """Wait until so many of the worker's sessions wait for the events."""

        async def are_held() -> bool:
            return await self.held() >= batches

        await until(are_held, f"{batches} batches stand still", seconds=PATIENCE_SECONDS)

    async def held(self) -> int:
        """How many of the worker's sessions wait."""
        return int(await self.connection.fetchval(_HELD))


@asynccontextmanager
async def standing_still(database_url: str) -> AsyncIterator[Standstill]:
    """Hold every insert into the events until released, or the end of the block; reading goes on.

    It stands before the worker that is to be held: one that has begun may be through already.
    """
    connection = await asyncpg.connect(database_url)
    try:
        # The chore that makes partitions ahead would wait here too, and look like a batch.
        for days in range(-2, DAYS_AHEAD + 2):
            await make_partition(connection, datetime.now(UTC).date() + timedelta(days=days))
        await connection.execute("BEGIN; LOCK TABLE faultwire.events IN SHARE MODE")
        yield Standstill(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def held_worker(
    database_url: str, broker_url: str, *, batches: int = 1
) -> AsyncIterator[tuple[Standstill, Bench]]:
    """A worker that has so many batches in its hands and cannot store them until released."""
    async with (
        standing_still(database_url) as standstill,
        running(database_url, broker_url, wait=False) as bench,
    ):
        await standstill.wait_for_batches(batches)
        yield standstill, bench
