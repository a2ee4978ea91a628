"""Reads at the broker what a client published, without the worker."""

import asyncio

from aio_pika.abc import AbstractIncomingMessage

from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import queue_of


async def take_all(url: str, lane: Lane, *, messages: int) -> list[AbstractIncomingMessage]:
    """Take so many messages from the lane's queue, in order."""
    connection = await amqp.connect(url, "test reader")
    taken: list[AbstractIncomingMessage] = []
    try:
        async with asyncio.timeout(90):
            channel = await connection.channel()
            queue = await channel.get_queue(queue_of(lane), ensure=False)
            while len(taken) < messages:
                message = await queue.get(fail=False)
                if message is not None:
                    await message.ack()
                    taken.append(message)
    finally:
        await amqp.close(connection)
    return taken
