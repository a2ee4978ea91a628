"""How a lane's batches are made: at once when it is quiet, filled while more keeps coming."""

import asyncio
import json
import tracemalloc

from faultwire_consumer.ingest.read.delivery import Delivery, DeliveryQueue, read_delivery
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, UndecodableReason
from faultwire_shared.event import MESSAGE_BYTES


def single() -> Delivery:
    return read_delivery(b"{}", EVENT_TYPE, origin="test", handle=None)


def batch(events: int) -> Delivery:
    return read_delivery(json.dumps([{}] * events).encode(), BATCH_TYPE, origin="test", handle=None)


def queue_of(*deliveries: Delivery) -> DeliveryQueue:
    queue = DeliveryQueue()
    for delivery in deliveries:
        queue.put(delivery)
    return queue


def test_of_messages_far_beyond_the_limit_only_their_beginnings_wait() -> None:
    whole = 4 * 1024 * 1024
    tracemalloc.start()
    try:
        waiting = [read_delivery(bytes(whole), EVENT_TYPE, origin="test", handle=None) for _ in range(2)]
        for delivery in waiting:
            delivery.cut()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * MESSAGE_BYTES, "neither the delivery nor what was raised of it holds the rest"
    assert [(len(one.body), one.size) for one in waiting] == [(MESSAGE_BYTES, whole)] * 2
    assert [one.fault and one.fault.reason for one in waiting] == [UndecodableReason.TOO_LARGE] * 2


async def test_a_single_delivery_goes_at_once_whatever_the_linger() -> None:
    async with asyncio.timeout(60):
        assert len(await queue_of(single()).collect(size=500, linger=3600)) == 1


async def test_what_waits_goes_together_up_to_the_size() -> None:
    queue = queue_of(*(single() for _ in range(12)))
    assert len(await queue.collect(size=10, linger=0)) == 10
    assert len(await queue.collect(size=10, linger=0)) == 2


async def test_the_size_counts_events_and_never_splits_a_message() -> None:
    queue = queue_of(batch(50), batch(50), batch(50))
    assert len(await queue.collect(size=60, linger=0)) == 2
    assert len(await queue.collect(size=60, linger=0)) == 1


async def test_a_linger_takes_in_what_arrives_meanwhile_and_ends_when_nothing_does() -> None:
    queue = queue_of(single(), single())

    async def arrive() -> None:
        for _ in range(5):
            queue.put(single())
            await asyncio.sleep(0)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(arrive())
        collected = await queue.collect(size=500, linger=3600)
    assert len(collected) == 7


async def test_an_empty_queue_is_waited_at_until_something_comes() -> None:
    queue = DeliveryQueue()
    waiting = asyncio.create_task(queue.collect(size=5, linger=0))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.put(single())
    assert len(await waiting) == 1


async def test_a_closed_queue_gives_what_it_holds_and_then_empty_batches() -> None:
    queue = queue_of(single())
    queue.close()
    assert len(await queue.collect(size=5, linger=0)) == 1
    assert await queue.collect(size=5, linger=0) == []


async def test_closing_ends_a_wait() -> None:
    queue = DeliveryQueue()
    waiting = asyncio.create_task(queue.collect(size=5, linger=0))
    await asyncio.sleep(0)
    queue.close()
    assert await waiting == []
