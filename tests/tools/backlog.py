"""Queues that are full before a worker starts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import pika
from tests.servers.process import wait_until

from faultwire_shared import codec

PATIENCE_SECONDS: Final = 300.0


def fill(
    url: str,
    bodies: Iterable[bytes],
    *,
    count: int,
    exchange: str = "faultwire.events",
    key: str = "event.medium.system.shop",
    queue: str = "faultwire.routine",
) -> None:
    """Publish so many messages, and wait until the queue holds them all."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if not exchange:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    for body in bodies:
        channel.basic_publish(exchange, key, body, properties)

    def is_full() -> bool:
        return bool(channel.queue_declare(queue, passive=True).method.message_count == count)

    wait_until(is_full, f"{count:,} messages in {queue}", seconds=PATIENCE_SECONDS)
    connection.close()


def messages(events: Iterator[bytes], a_message: int) -> Iterator[bytes]:
    """The events as messages: alone, or so many together as our client publishes them in a flood."""
    if a_message == 1:
        yield from events
        return
    while batch := list(islice(events, a_message)):
        yield codec.encode_batch(batch)
