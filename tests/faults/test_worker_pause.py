"""A lane pauses: what was on its way to it is not lost, and costs little of the broker's patience."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import pytest
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.backlog import fill
from tests.tools.bench import RETURNED_ONCE

from faultwire_consumer.ingest.receive.consumers import Consumers
from faultwire_consumer.ingest.receive.redelivery import attempts_of
from faultwire_consumer.ingest.receive.settlement import Generation
from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import queue_of

MESSAGES: Final = 12_000
PAUSES: Final = 2
PREFETCHES: Final = (1, 32, 64, 128, 256, 512, 1000)
"""As a lane's grows that gets small messages: a consumer more at each step."""

Take = Callable[[Consumers, DeliveredMessage], Coroutine[Any, Any, None]]


def attempts_in(message: DeliveredMessage) -> int:
    assert isinstance(message.delivery, Basic.Deliver)
    headers = message.header.properties.headers or {}
    return attempts_of(headers, redelivered=bool(message.delivery.redelivered))


async def ack(consumers: Consumers, message: DeliveredMessage) -> None:
    assert isinstance(message.delivery, Basic.Deliver)
    await consumers.generation.channel.basic_ack(message.delivery.delivery_tag or 0)


@asynccontextmanager
async def consuming(broker: RabbitMQ, take: Take) -> AsyncIterator[Consumers]:
    connection = await amqp.connect(broker.url, "test")
    try:
        channel = await (await connection.channel()).get_underlay_channel()
        yield Consumers(Generation(channel), queue_of(Lane.HIGH), take)
    finally:
        await connection.close()


@pytest.mark.timeout(240)
async def test_what_was_on_its_way_to_many_consumers_is_settled_and_costs_few_attempts(
    broker: RabbitMQ,
) -> None:
    attempts: list[int] = []
    came = asyncio.Event()

    async def take(consumers: Consumers, message: DeliveredMessage) -> None:
        attempts.append(attempts_in(message))
        await ack(consumers, message)
        came.set()

    async with consuming(broker, take) as consumers:
        for pause in range(1, PAUSES + 1):
            await asyncio.to_thread(fill_high, broker.url)
            for prefetch in PREFETCHES:
                await consumers.adjust(prefetch)
            await consumers.cancel()
            assert len(attempts) < pause * MESSAGES, "it paused with something left"
            assert not cast("Channel", consumers.generation.channel).consumers
            await consumers.adjust(PREFETCHES[-1])
            async with asyncio.timeout(60):
                while len(attempts) < pause * MESSAGES:
                    came.clear()
                    await came.wait()
            await consumers.cancel()
    assert len(attempts) == PAUSES * MESSAGES, "each came once, and none was dropped"
    assert max(attempts) < RETURNED_ONCE


def fill_high(url: str) -> None:
    fill(url, [b"{}"] * MESSAGES, count=MESSAGES, key="event.high.system.shop", queue=queue_of(Lane.HIGH))
