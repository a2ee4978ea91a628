"""The same as ``naive_faststream.py`` without a framework: aio-pika's own callback, one commit a message.

``python naive_aio_pika.py AMQP_URL DATABASE_URL QUEUE``.
"""

import asyncio
import sys

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from tests.benchmarks.naive_store import POOL, keeping


async def main(broker_url: str, database_url: str, queue_name: str) -> None:
    connection = await aio_pika.connect(broker_url)
    async with keeping(database_url) as keep, connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=POOL)
        queue = await channel.get_queue(queue_name)

        async def handle(message: AbstractIncomingMessage) -> None:
            await keep(message.body)
            await message.ack()

        await queue.consume(handle)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
