"""The end of a delivery: ack or return. Nothing else in the code touches the broker's settle verbs.

A message is settled once, by the worst of its events, and only after the commit. Deliveries of a
generation that has ended need nothing: the broker delivers them again, and the store knows the events.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiormq.abc import AbstractChannel
from msgspec import Struct

from faultwire_consumer.domain.outcome import Outcome, Retry, must_return
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.metrics import Metrics
from faultwire_shared.amqp import BrokerError, broker_call
from faultwire_shared.failpoint import failpoint

_SETTLE_SECONDS: Final = 5.0


class Generation:
    """A lane's channel, from opening to loss or renewal; a delivery's tag means nothing on any other.

    The first part to learn that it cannot go on ends it, with the reason.
    """

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.why_ended = ""
        self._ended = asyncio.Event()
        self._unsettled = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def has_ended(self) -> bool:
        """True once its deliveries belong to the broker again."""
        return self._ended.is_set()

    def end(self, why: str) -> None:
        """End it; the first reason stays."""
        if not self._ended.is_set():
            self.why_ended = why
            self._ended.set()

    def add(self, tag: int) -> "BrokerHandle":
        """Count a delivery that came on this channel, and return its handle."""
        self._unsettled += 1
        self._empty.clear()
        return BrokerHandle(self, tag)

    def note_settled(self, deliveries: int) -> None:
        """Count deliveries that were returned or acknowledged."""
        self._unsettled -= deliveries
        if not self._unsettled:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until everything that came on this channel is settled."""
        await self._empty.wait()

    async def wait_ended(self) -> str:
        """Wait for the end; return its reason."""
        await self._ended.wait()
        return self.why_ended


class BrokerHandle(Struct, frozen=True):
    """A delivery's tag, valid only in the generation that it came with."""

    generation: Generation
    tag: int


class IntakeHandle(Struct, frozen=True):
    """The HTTP request that waits for its events' outcomes."""

    answer: asyncio.Future[list[Outcome]]


async def settle(
    deliveries: Sequence[Delivery], outcomes: Sequence[list[Outcome]], *, metrics: Metrics
) -> None:
    """Settle a batch. Batches of one lane come in the order in which they were taken in.

    That order allows one ack for many: every tag below the last one is decided.
    """
    returned = [
        delivery for delivery, results in zip(deliveries, outcomes, strict=True) if must_return(results)
    ]
    metrics.deliveries_returned.inc(len(returned))
    for delivery, results in zip(deliveries, outcomes, strict=True):
        if isinstance(delivery.handle, IntakeHandle) and not delivery.handle.answer.done():
            delivery.handle.answer.set_result(results)
    if handles := _broker_handles(deliveries):
        await asyncio.shield(_settle_at_broker(handles, set(_broker_handles(returned))))


def _broker_handles(deliveries: Sequence[Delivery]) -> list[BrokerHandle]:
    return [delivery.handle for delivery in deliveries if isinstance(delivery.handle, BrokerHandle)]


async def give_back(deliveries: Sequence[Delivery], reason: str, *, metrics: Metrics) -> None:
    """Return deliveries that were taken in but never tried."""
    await settle(deliveries, [[Retry(reason)]] * len(deliveries), metrics=metrics)


async def _settle_at_broker(handles: Sequence[BrokerHandle], returned: set[BrokerHandle]) -> None:
    """Settle each generation's part separately: a reconnect in mid-batch leaves two in it."""
    parts: dict[Generation, list[BrokerHandle]] = {}
    for handle in handles:
        parts.setdefault(handle.generation, []).append(handle)
    for generation, part in parts.items():
        if generation.has_ended:
            continue
        try:
            async with broker_call("settle", _SETTLE_SECONDS):
                await _settle_part(generation.channel, part, returned)
        except BrokerError as error:
            # A later ack for many must not cover what never went back.
            generation.end(str(error))
        else:
            generation.note_settled(len(part))


async def _settle_part(
    channel: AbstractChannel, part: Sequence[BrokerHandle], returned: set[BrokerHandle]
) -> None:
    if returned.isdisjoint(part):
        await channel.basic_ack(part[-1].tag, multiple=True)
        failpoint("worker.acking")
        return
    for handle in part:
        if handle in returned:
            await channel.basic_nack(handle.tag, requeue=True)
        else:
            await channel.basic_ack(handle.tag)
            failpoint("worker.acking")
