"""A publisher that is not ours: it hands bodies to the exchange and notes what the broker confirmed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractExchange
from tests.tools.factories import wire_event
from tests.tools.oracle import Entry

from faultwire_shared import amqp
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE
from faultwire_shared.event import Lane
from faultwire_shared.topology import EVENTS

KEYS = {Lane.CRITICAL: "event.critical", Lane.HIGH: "event.high", Lane.ROUTINE: "event.low"}


class Publisher:
    """Publishes with confirms; ``ledger`` holds what was confirmed."""

    def __init__(self, exchange: AbstractExchange) -> None:
        self._exchange = exchange
        self.ledger: list[Entry] = []

    async def publish(
        self, *events: dict[str, Any], lane: Lane = Lane.HIGH, headers: dict[str, Any] | None = None
    ) -> None:
        """One message of one event, or of several."""
        body = json.dumps(events[0] if len(events) == 1 else events).encode()
        kind = EVENT_TYPE if len(events) == 1 else BATCH_TYPE
        await self.publish_body(body, kind, lane=lane, headers=headers)
        self.ledger += [Entry(event["id"], "confirmed") for event in events]

    async def publish_many(self, count: int, *, lane: Lane = Lane.HIGH, **fields: Any) -> list[str]:
        """So many messages of one event each; their ids."""
        events = [wire_event(**fields) for _ in range(count)]
        for event in events:
            await self.publish(event, lane=lane)
        return [event["id"] for event in events]

    async def publish_body(
        self,
        body: bytes,
        kind: str | None = EVENT_TYPE,
        *,
        lane: Lane = Lane.HIGH,
        headers: dict[str, Any] | None = None,
    ) -> None:
        """A message of any bytes."""
        message = aio_pika.Message(body, type=kind, delivery_mode=2, headers=headers)
        await self._exchange.publish(message, f"{KEYS[lane]}.system.test", timeout=30)


@asynccontextmanager
async def publishing(broker_url: str) -> AsyncIterator[Publisher]:
    """A publisher on a connection of its own."""
    connection = await amqp.connect(broker_url, "test publisher")
    channel = await connection.channel()
    try:
        yield Publisher(await channel.get_exchange(EVENTS, ensure=False))
    finally:
        await amqp.close(connection)


async def declare(broker_url: str) -> None:
    """Declare faultwire's topology."""
    connection = await amqp.connect(broker_url, "test")
    await amqp.declare(connection)
    await amqp.close(connection)
