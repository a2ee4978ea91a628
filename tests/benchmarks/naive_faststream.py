"""What one would write instead of faultwire: a FastStream subscriber, one insert and commit a message.

``python naive_faststream.py AMQP_URL POSTGRESQL_URL QUEUE``. It is no straw man: a connection
pool, a prefetch window, both statements in one transaction, the ack after the commit, and
FastStream's log line per message turned off.
"""

import asyncio
import hashlib
import json
import sys
from typing import Any

import asyncpg
from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

SCHEMA = """
CREATE TABLE events (
    id text PRIMARY KEY,
    fingerprint text NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    document jsonb NOT NULL
);
CREATE TABLE incidents (
    fingerprint text PRIMARY KEY,
    title text NOT NULL,
    count bigint NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
)
"""

INSERT_EVENT = """
INSERT INTO events (id, fingerprint, document) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

COUNT_INCIDENT = """
INSERT INTO incidents (fingerprint, title, count) VALUES ($1, $2, 1)
ON CONFLICT (fingerprint) DO UPDATE SET count = incidents.count + 1, last_seen_at = now()
"""


def fingerprint_of(event: dict[str, Any]) -> str:
    """The service, the exception's type and where it was raised."""
    raised = event["exceptions"][0]
    crash = raised["frames"][-1]
    key = "\n".join((event["service"], raised["type"], crash["module"], crash["qualname"]))
    return hashlib.sha256(key.encode()).hexdigest()


async def store(pool: "asyncpg.Pool[Any]", body: bytes) -> None:
    event = json.loads(body)
    fingerprint = fingerprint_of(event)
    async with pool.acquire() as connection, connection.transaction():
        inserted = await connection.execute(INSERT_EVENT, event["id"], fingerprint, body.decode())
        if inserted == "INSERT 0 1":
            await connection.execute(COUNT_INCIDENT, fingerprint, event["message"])


async def main(broker_url: str, database_url: str, queue: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=10, max_size=10) as pool:
        broker = RabbitBroker(broker_url, logger=None)

        @broker.subscriber(
            RabbitQueue(queue, queue_type=QueueType.QUORUM, durable=True), channel=Channel(prefetch_count=10)
        )
        async def handle(message: RabbitMessage) -> None:
            await store(pool, message.body)

        await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
