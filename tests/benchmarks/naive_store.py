"""What the naive consumers do with an event: one insert, one upsert, one commit a message.

No straw man: both statements are one transaction, an event that comes twice is counted once,
PostgreSQL has a pool, and SQLite the WAL.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiosqlite
import asyncpg

POOL: Final = 10

SCHEMA: Final = """
CREATE TABLE events (
    id text PRIMARY KEY,
    fingerprint text NOT NULL,
    occurred_at {time} NOT NULL DEFAULT {now},
    document {document} NOT NULL
);
CREATE TABLE incidents (
    fingerprint text PRIMARY KEY,
    title text NOT NULL,
    count bigint NOT NULL,
    first_seen_at {time} NOT NULL DEFAULT {now},
    last_seen_at {time} NOT NULL DEFAULT {now}
)
"""
ON_POSTGRESQL: Final = SCHEMA.format(time="timestamptz", now="now()", document="jsonb")
ON_SQLITE: Final = SCHEMA.format(time="text", now="CURRENT_TIMESTAMP", document="text")

INSERT_EVENT: Final = """
INSERT INTO events (id, fingerprint, document) VALUES ({}, {}, {}) ON CONFLICT DO NOTHING
"""
COUNT_INCIDENT: Final = """
INSERT INTO incidents (fingerprint, title, count) VALUES ({}, {}, 1)
ON CONFLICT (fingerprint) DO UPDATE SET count = incidents.count + 1, last_seen_at = {now}
"""

Keep = Callable[[bytes], Awaitable[None]]


def fingerprint_of(event: dict[str, Any]) -> str:
    """The service, the exception's type and where it was raised."""
    raised = event["exceptions"][0]
    crash = raised["frames"][-1]
    key = "\n".join((event["service"], raised["type"], crash["module"], crash["qualname"]))
    return hashlib.sha256(key.encode()).hexdigest()


@asynccontextmanager
async def keeping(database_url: str) -> AsyncIterator[Keep]:
    """A function that keeps one event for good before it returns."""
    kind = _on_sqlite if database_url.startswith("sqlite:") else _on_postgresql
    async with kind(database_url) as keep:
        yield keep


@asynccontextmanager
async def _on_postgresql(database_url: str) -> AsyncIterator[Keep]:
    async with asyncpg.create_pool(database_url, min_size=POOL, max_size=POOL) as pool:
        insert_event = INSERT_EVENT.format("$1", "$2", "$3")
        count_incident = COUNT_INCIDENT.format("$1", "$2", now="now()")

        async def keep(body: bytes) -> None:
            event = json.loads(body)
            fingerprint = fingerprint_of(event)
            async with pool.acquire() as connection, connection.transaction():
                inserted = await connection.execute(insert_event, event["id"], fingerprint, body.decode())
                if inserted == "INSERT 0 1":
                    await connection.execute(count_incident, fingerprint, event["message"])

        yield keep


@asynccontextmanager
async def _on_sqlite(database_url: str) -> AsyncIterator[Keep]:
    async with aiosqlite.connect(database_url.removeprefix("sqlite:///"), isolation_level=None) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            await connection.execute(f"PRAGMA {pragma}")
        insert_event = INSERT_EVENT.format("?", "?", "?")
        count_incident = COUNT_INCIDENT.format("?", "?", now="CURRENT_TIMESTAMP")
        turn = asyncio.Lock()  # one connection has one transaction

        async def keep(body: bytes) -> None:
            event = json.loads(body)
            fingerprint = fingerprint_of(event)
            async with turn:
                await connection.execute("BEGIN IMMEDIATE")
                inserted = await connection.execute(insert_event, (event["id"], fingerprint, body.decode()))
                if inserted.rowcount == 1:
                    await connection.execute(count_incident, (fingerprint, event["message"]))
                await connection.execute("COMMIT")

        yield keep
