"""What one would write instead of faultwire: a FastStream subscriber, one insert and commit a message.

``python naive_faststream.py AMQP_URL DATABASE_URL QUEUE``. It is no straw man: a prefetch window, the ack
after the commit (see ``naive_store.py`` for that), and FastStream's log line per message turned off.
"""

import asyncio
import sys

from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue
from tests.benchmarks.naive_store import POOL, keeping


async def main(broker_url: str, database_url: str, queue: str) -> None:
    async with keeping(database_url) as keep:
        broker = RabbitBroker(broker_url, logger=None)

        @broker.subscriber(
            RabbitQueue(queue, queue_type=QueueType.QUORUM, durable=True),
            channel=Channel(prefetch_count=POOL),
        )
        async def handle(message: RabbitMessage) -> None:
            await keep(message.body)

        await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
