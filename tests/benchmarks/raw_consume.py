"""How fast aio-pika can consume at all: each message is acked and thrown away.

``python raw_consume.py AMQP_URL QUEUE COUNT`` prints the seconds from the first to the last.
"""

import asyncio
import sys
import time

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

PREFETCH = 500


async def main(url: str, queue_name: str, count: int) -> None:
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)
    queue = await channel.get_queue(queue_name)
    seen, first, done = 0, 0.0, asyncio.Event()

    async def handle(message: AbstractIncomingMessage) -> None:
        nonlocal seen, first
        if not seen:
            first = time.perf_counter()
        await message.ack()
        seen += 1
        if seen == count:
            done.set()

    await queue.consume(handle)
    await done.wait()
    print(time.perf_counter() - first)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
