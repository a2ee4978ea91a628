"""Fills a store with any number of events of the last thirty days, fast: its own rows, multiplied.

One event of each bug goes through the pipeline. What it left is copied by SQL in the database, with ids, days
and times of their own, column by column as the table has them; then the counters are brought up to it. Half
of all events are of every hundredth bug and have no body, of the others one in ten has it, as after floods.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import insert
from tests.tools.event import FINGERPRINTS, bodies

from faultwire_consumer.domain.outcome import Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.search_filling import SearchFiller
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.search import search_fill

DAYS: Final = 30
BUGS_MOST: Final = 5_000
EVENTS_A_BUG: Final = 2_000
_HOT: Final = 100
_BODY: Final = 10


def bugs_of(events: int) -> int:
    """How many bugs a store of so many events has."""
    return min(BUGS_MOST, max(FINGERPRINTS, events // EVENTS_A_BUG))


def new_pipeline(store: Store) -> Pipeline:
    """As a worker has it, with the policy that is shipped."""
    return Pipeline(store, metrics=Metrics(), evaluator=Evaluator(read_policy(None)))


def deliveries_of(events: Iterable[bytes]) -> list[Delivery]:
    return [read_delivery(body, None, origin="memory", handle=None) for body in events]


async def ingest_all(pipeline: Pipeline, deliveries: Sequence[Delivery]) -> None:
    """Batch by batch; every event is new."""
    waiting = iter(deliveries)
    while batch := list(islice(waiting, BATCH_EVENTS)):
        outcomes = await pipeline.ingest(batch)
        assert all(isinstance(one, Stored) for its in outcomes for one in its)


async def _sample(database_url: str, bugs: int, days: Sequence[datetime]) -> None:
    """One event of each bug, and room for all days."""
    store = await open_store(database_url)
    try:
        await store.prepare_days(frozenset(day.date() for day in days))
        pipeline = await asyncio.to_thread(new_pipeline, store)
        await ingest_all(pipeline, deliveries_of(bodies(bugs, start=0, fingerprints=bugs)))
    finally:
        await store.close()


def _copies(events: int, bugs: int) -> tuple[int, int]:
    """How many copies a day: of every bug, and of those that half of all are of."""
    every = max(1, events // 2 // bugs // DAYS)
    return every, max(1, events // 2 // max(1, bugs // _HOT) // DAYS)


def _last_days() -> list[datetime]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [today - timedelta(days=back) for back in range(DAYS)]


async def fill_postgresql(database_url: str, events: int) -> int:
    """Fill a database whose schema is up to date; how many events it has."""
    bugs, days = bugs_of(events), _last_days()
    await _sample(database_url, bugs, days)
    connection = await asyncpg.connect(database_url)
    try:
        await _multiply_postgresql(connection, _copies(events, bugs), days)
        await _make_findable(database_url)
        await connection.execute("VACUUM ANALYZE")
        return int(await connection.fetchval("SELECT count(*) FROM faultwire.events"))
    finally:
        await connection.close()


async def _make_findable(database_url: str) -> None:
    """Let the chore find the bodies that no pipeline saw, as after an upgrade."""

    async def go_on(_: float) -> None:
        return None

    store = await open_store(database_url)
    try:
        async with store.write() as tx:
            await tx.execute(insert(search_fill).values(name="bodies"))
        await SearchFiller(store, sleep=go_on).fill()
    finally:
        await store.close()


async def _multiply_postgresql(connection: Any, copies: tuple[int, int], days: Sequence[datetime]) -> None:
    await connection.execute(
        "CREATE TEMP TABLE sample AS SELECT *, row_number() OVER () AS number FROM faultwire.events"
    )
    found = await connection.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'faultwire' "
        "AND table_name = 'events' AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    columns = [row["column_name"] for row in found]
    for day in days:
        start = f"'{day:%F}T00:00Z'::timestamptz"
        copied = {
            "occurred_day": f"'{day:%F}'::date",
            "event_id": f"'error_{day:%Y%m%d}_' || substr(md5(random()::text || s.event_id), 1, 20)",
            "occurred_at": "t.at",
            "received_at": "t.at + interval '1 second'",
        }
        for times, where, doc in _passes(copies, "s.number", "c"):
            values = ", ".join((copied | {"doc": doc}).get(column, f"s.{column}") for column in columns)
            await connection.execute(f"""
                INSERT INTO faultwire.events ({", ".join(columns)}) SELECT {values}
                FROM sample s CROSS JOIN generate_series(1, {times}) c CROSS JOIN LATERAL (
                  SELECT {start} + random() * (least({start} + interval '1 day', now()) - {start}) AS at
                  WHERE c > 0
                ) t WHERE {where} ORDER BY t.at
            """)
    await connection.execute(_COUNTERS.format(s="faultwire.", hour="date_trunc('hour', occurred_at, 'UTC')"))
    await connection.execute("VACUUM ANALYZE")


def _passes(copies: tuple[int, int], number: str, copy: str) -> tuple[tuple[int, str, str], ...]:
    """How many copies, of which of the sample, and what body they have."""
    return (
        (copies[0], "true", f"CASE WHEN {copy} % {_BODY} = 0 THEN s.doc END"),
        (copies[1], f"{number} % {_HOT} = 1", "NULL"),
    )


_COUNTERS: Final = """
DELETE FROM {s}hourly;
INSERT INTO {s}hourly (fingerprint, environment, hour, count)
  SELECT fingerprint, environment, {hour}, sum(count) FROM {s}events GROUP BY 1, 2, 3;
UPDATE {s}incidents SET count = n.count, first_seen_at = n.first, last_seen_at = n.last,
    bodies = n.bodies, body_kept_at = n.kept
  FROM (SELECT f.incident_id AS id, sum(e.count) AS count, min(e.occurred_at) AS first,
          max(e.occurred_at) AS last, count(e.doc) AS bodies,
          max(e.occurred_at) FILTER (WHERE e.doc IS NOT NULL) AS kept
        FROM {s}events e JOIN {s}fingerprints f ON f.fingerprint = e.fingerprint GROUP BY 1) n
  WHERE n.id = {s}incidents.id
"""


async def fill_sqlite(path: Path, events: int) -> int:
    """The same in a file that no worker has."""
    bugs, days = bugs_of(events), _last_days()
    await _sample(f"sqlite:///{path}", bugs, days)
    filled = await asyncio.to_thread(_multiply_sqlite, path, events, bugs, days)
    await _make_findable(f"sqlite:///{path}")
    return filled


def _multiply_sqlite(path: Path, events: int, bugs: int, days: Sequence[datetime]) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("CREATE TEMP TABLE sample AS SELECT * FROM events")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        now = datetime.now(UTC)
        for day in days:
            start = int(day.timestamp()) * 1_000_000
            length = int((min(day + timedelta(days=1), now) - day).total_seconds() * 1e6) + 1
            copied = {
                "occurred_day": f"'{day:%F}'",
                "event_id": f"'error_{day:%Y%m%d}_' || lower(hex(randomblob(10)))",
                "occurred_at": f"{start} + abs(random()) % {length}",
                "received_at": f"{start} + {length}",
            }
            for times, where, doc in _passes(_copies(events, bugs), "s.rowid", "c.n"):
                values = ", ".join((copied | {"doc": doc}).get(column, f"s.{column}") for column in columns)
                connection.execute(f"""
                    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {times})
                    INSERT INTO events ({", ".join(columns)}) SELECT {values} FROM c CROSS JOIN sample s
                    WHERE {where}
                """)
        connection.executescript(_COUNTERS.format(s="", hour="occurred_at / 3600000000 * 3600000000"))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
