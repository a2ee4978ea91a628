"""Messages of a real RabbitMQ whose properties the AMQP library cannot decode: no lane is lost by them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiormq.abc import AbstractChannel
from msgspec import Struct
from prometheus_client import Counter
from sqlalchemy import func, select
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.factories import wire_body
from tests.tools.raw_frames import NANOSECONDS, long, nested, publish_raw, short, table
from tests.tools.waiting import until

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE, DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import events
from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, EVENTS

ODD: Final = b"caf\xe9 \xff"
PROPERTIES: Final = [
    *({name: short(ODD)} for name in ("content_type", "content_encoding", "message_id", "correlation_id")),
    *({name: short(ODD)} for name in ("app_id", "reply_to")),
    {"timestamp": NANOSECONDS},
    {"timestamp": b"\x7f" + b"\xff" * 7},
    {"headers": table((ODD, b"S" + long(b"v")))},
    {"headers": table((b"at", b"T" + NANOSECONDS))},
    {"headers": table((b"deep", nested(2_000)))},
]


class Lanes(Struct):
    """A lane's receiver at work, and a channel for raw frames."""

    store: Store
    metrics: Metrics
    channel: AbstractChannel

    async def count(self, column: object) -> int:
        return int((await self.store.read(select(func.count(column))))[0][0])  # type: ignore[arg-type]  # any column


@asynccontextmanager
async def lane(broker: RabbitMQ, path: Path, name: str) -> AsyncIterator[Lanes]:
    store, metrics = await open_store(f"sqlite:///{path / 'faultwire.db'}"), Metrics()
    connection = await amqp.connect(broker.url, "test")
    await amqp.declare(connection)
    channel = await (await connection.channel(publisher_confirms=False)).get_underlay_channel()
    ingester: Pipeline | DeadQueue = Pipeline(store, metrics=metrics)
    receiver = AmqpReceiver(name, broker.url, metrics=metrics)
    if name == DEAD_LANE:
        receiver = DeadQueueReceiver(broker.url, metrics=metrics)
        ingester = DeadQueue(store, metrics=metrics, clock=lambda: datetime.now(UTC))
    loop = LaneLoop(receiver, ingester, metrics=metrics)
    running = [asyncio.create_task(receiver.run()), asyncio.create_task(loop.run())]
    yield Lanes(store, metrics, channel)
    await receiver.stop()
    await asyncio.wait_for(running[1], 20)
    await receiver.close()
    await asyncio.wait_for(running[0], 20)
    await amqp.close(connection)
    await store.close()


def value_of(counter: Counter, lane: str) -> float:
    return float(counter.labels(lane=lane)._value.get())


def reaches(measure: Callable[[], Awaitable[int]], wanted: int) -> Callable[[], Awaitable[bool]]:
    async def is_reached() -> bool:
        return await measure() == wanted

    return is_reached


async def test_a_lane_stores_events_whatever_stands_in_their_properties(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    async with lane(rabbitmq, tmp_path, Lane.HIGH) as lanes:

        async def publish(properties: dict[str, bytes], key: bytes = b"event.high.system.x") -> None:
            await publish_raw(
                lanes.channel, wire_body(), exchange=EVENTS.encode(), key=key, properties=properties
            )

        for properties in PROPERTIES:
            await publish(properties)
            await publish({})
        await publish({}, b"event.high.system." + ODD)
        await publish({"message_type": short(ODD)})
        await until(
            reaches(lambda: lanes.count(events.c.event_id), 2 * len(PROPERTIES) + 1), "all are stored"
        )
        await until(reaches(lambda: lanes.count(dead_letters.c.id), 1), "an unknown type is a dead letter")
        (letter,) = await lanes.store.read(select(dead_letters))
        assert letter.reason == "type_unsupported"
        assert "its properties: " in letter.detail
        assert value_of(lanes.metrics.broker_losses, Lane.HIGH) == 0
        assert value_of(lanes.metrics.odd_properties, Lane.HIGH) == len(PROPERTIES) + 1


async def test_the_brokers_dead_letters_are_drained_whatever_stands_in_their_properties(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    async with lane(rabbitmq, tmp_path, DEAD_LANE) as lanes:
        bodies = [wire_body() for _ in [*PROPERTIES, {}]]
        for body, properties in zip(bodies, [*PROPERTIES, {}], strict=True):
            await publish_raw(lanes.channel, body, exchange=b"", key=DEAD.encode(), properties=properties)
        await until(reaches(lambda: lanes.count(dead_letters.c.id), len(bodies)), "each is a row")
        rows = await lanes.store.read(select(dead_letters.c.event_id, dead_letters.c.detail))
        assert {row.event_id for row in rows} == {json.loads(body)["id"] for body in bodies}
        assert sum("its properties: " in row.detail for row in rows) == len(PROPERTIES)
        assert value_of(lanes.metrics.broker_losses, DEAD_LANE) == 0


async def test_a_count_of_deliveries_that_a_publisher_wrote_makes_no_suspect(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    forged = {"headers": table((b"x-delivery-count", b"l" + (2**31).to_bytes(8)))}
    async with lane(rabbitmq, tmp_path, Lane.HIGH) as lanes:
        await publish_raw(
            lanes.channel, b"{", exchange=EVENTS.encode(), key=b"event.high.system.x", properties=forged
        )
        await until(reaches(lambda: lanes.count(dead_letters.c.id), 1), "it is a dead letter")
        ((attempts,),) = await lanes.store.read(select(dead_letters.c.attempts))
        assert attempts == 1
