"""The end of a delivery: ack or return. Nothing else in the code touches the broker's settle verbs.

A message is settled once, by the worst of its events, and only after the commit; a stale ack (its
channel is gone) needs nothing: the broker delivers again, and the store knows the event.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from msgspec import Struct

from faultwire_consumer.ingest.delivery import Delivery
from faultwire_consumer.ingest.outcome import Outcome, Retry, must_return
from faultwire_consumer.metrics import Metrics
from faultwire_shared.failpoint import failpoint

_STALE: Final = (ChannelInvalidStateError, AMQPError, OSError, RuntimeError)
_SETTLE_SECONDS: Final = 5.0


class BrokerHandle(Struct, frozen=True):
    """A delivery's tag, on the channel object that it came by and no other."""

    channel: AbstractChannel
    tag: int


class IntakeHandle(Struct, frozen=True):
    """The HTTP request that waits for its events' outcomes."""

    answer: asyncio.Future[list[Outcome]]


async def settle(
    deliveries: Sequence[Delivery], outcomes: Sequence[list[Outcome]], *, metrics: Metrics
) -> None:
    """Settle a batch. Batches of one lane come in the order they were taken in.

    That order is what allows one ack for many: every tag below the last one is decided.
    """
    returned = [one for one, its in zip(deliveries, outcomes, strict=True) if must_return(its)]
    metrics.deliveries_returned.inc(len(returned))
    for delivery, its in zip(deliveries, outcomes, strict=True):
        if isinstance(delivery.handle, IntakeHandle) and not delivery.handle.answer.done():
            delivery.handle.answer.set_result(its)
    of_broker = [one for one in deliveries if isinstance(one.handle, BrokerHandle)]
    if of_broker:
        await asyncio.shield(_settle_at_broker(of_broker, {id(one) for one in returned}))


async def give_back(deliveries: Sequence[Delivery], reason: str, *, metrics: Metrics) -> None:
    """Return deliveries that were taken in and never tried."""
    await settle(deliveries, [[Retry(reason)]] * len(deliveries), metrics=metrics)


async def _settle_at_broker(deliveries: Sequence[Delivery], returned: set[int]) -> None:
    try:
        async with asyncio.timeout(_SETTLE_SECONDS):
            if not returned:
                await _ack_all(deliveries)
                return
            for delivery in deliveries:
                handle: BrokerHandle = delivery.handle
                if id(delivery) in returned:
                    await handle.channel.basic_nack(handle.tag, requeue=True)
                else:
                    await handle.channel.basic_ack(handle.tag)
                    failpoint("worker.acking")
    except (*_STALE, TimeoutError):
        return
    except asyncio.CancelledError:
        # aiormq cancels what waits on a dead connection; only a cancellation of this task is one.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def _ack_all(deliveries: Sequence[Delivery]) -> None:
    """One ack for each channel's last tag: a reconnect in mid-batch leaves two channels in it."""
    last: dict[int, BrokerHandle] = {id(one.handle.channel): one.handle for one in deliveries}
    for handle in last.values():
        if not handle.channel.is_closed:
            await handle.channel.basic_ack(handle.tag, multiple=True)
            failpoint("worker.acking")
