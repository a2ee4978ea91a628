"""The broker's own dead letters, on a real RabbitMQ: from the delivery limit into the table."""

import asyncio
from datetime import UTC, datetime

import aio_pika
from sqlalchemy import select
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.factories import wire_body
from tests.tools.waiting import until

from faultwire_consumer.ingest.receive.dead_queue import DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_shared import amqp
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.topology import DEAD, DELIVERY_LIMIT, EVENTS


async def test_an_event_that_is_returned_up_to_the_limit_becomes_a_dead_letter(
    rabbitmq: RabbitMQ, sqlite_url: str
) -> None:
    body = wire_body()
    connection = await amqp.connect(rabbitmq.url, "test")
    await amqp.declare(connection)
    channel = await connection.channel()
    exchange = await channel.get_exchange(EVENTS, ensure=False)
    message = aio_pika.Message(body, type=EVENT_TYPE, delivery_mode=2)
    await exchange.publish(message, "event.high.system.test")
    queue = await channel.get_queue("faultwire.high", ensure=False)
    for _ in range(DELIVERY_LIMIT + 1):
        taken = await queue.get(timeout=60)
        assert taken is not None
        await taken.reject(requeue=True)

    store = await open_store(sqlite_url)
    metrics = Metrics()
    receiver = DeadQueueReceiver(rabbitmq.url, metrics=metrics)
    drain = DeadQueue(store, metrics=metrics, clock=lambda: datetime.now(UTC))
    loop = LaneLoop(receiver, drain, metrics=metrics)
    running = [asyncio.create_task(receiver.run()), asyncio.create_task(loop.run())]

    async def is_kept() -> bool:
        return len(await store.read(select(dead_letters.c.id))) == 1

    await until(is_kept, "one dead letter")
    (letter,) = await store.read(select(dead_letters))
    assert (letter.reason, letter.origin, letter.body) == ("delivery_limit", "faultwire.high", body)
    assert (letter.attempts, letter.message_type) == (DELIVERY_LIMIT + 1, EVENT_TYPE)
    assert "event.high.system.test" in letter.detail

    async def is_empty() -> bool:
        other = await connection.channel()
        result = (await other.declare_queue(DEAD, passive=True)).declaration_result
        await other.close()
        return result.message_count == 0

    await receiver.stop()
    await running[1]
    await receiver.close()
    await running[0]
    await until(is_empty, "acked")
    await amqp.close(connection)
    await store.close()
