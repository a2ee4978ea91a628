"""The consumers of one queue on one channel: together they limit how much the broker may give at once."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from faultwire_consumer.ingest.receive.settlement import Generation


class Consumers:
    """No, one or several consumers, whose prefetches add up; they end with their generation.

    A larger prefetch is one more consumer, never a replacement for an old one: what a cancelled consumer
    still holds when the node of its connection dies, RabbitMQ gives to nobody until that node is back or
    forgotten (rabbit_fifo of 3.10 takes back from consumers that are up, but from no cancelled one; seen
    with three nodes). A smaller prefetch needs a replacement, since it lasts as long as its consumer.
    """

    def __init__(
        self,
        generation: Generation,
        queue: str,
        on_message: Callable[["Consumers", DeliveredMessage], Coroutine[Any, Any, None]],
    ) -> None:
        self.generation = generation
        self.prefetch = 0
        """Number of messages that may be unsettled at once; 0 without a consumer."""
        self._queue = queue
        self._on_message = partial(on_message, self)
        self._tags: list[str] = []

    @property
    def are_there(self) -> bool:
        """True while the broker has a consumer, as far as is known."""
        return bool(self.prefetch) and not self.generation.has_ended

    async def adjust(self, prefetch: int) -> None:
        """Let this many messages come; does nothing if that is so already."""
        if prefetch < self.prefetch:
            await self._cancel_tags()
            await self._add(prefetch)
        elif prefetch > self.prefetch:
            await self._add(prefetch - self.prefetch)
        self.prefetch = prefetch

    async def cancel(self) -> None:
        """Let no more messages come, from now on, whether or not the broker answers."""
        self.prefetch = 0
        await self._cancel_tags()

    async def _add(self, prefetch: int) -> None:
        channel = self.generation.channel
        await channel.basic_qos(prefetch_count=prefetch)
        consumed = await channel.basic_consume(self._queue, self._on_message)
        self._tags.append(consumed.consumer_tag or "")

    async def _cancel_tags(self) -> None:
        """Cancel all without waiting in between, the largest first.

        RabbitMQ gives what was on its way to a consumer that is gone to the next one, and counts an attempt:
        cancelled one after the other on a busy machine, seven consumers cost messages up to four (3.10).
        """
        channel = cast("Channel", self.generation.channel)
        tags, self._tags = self._tags, []
        for tag in reversed(tags[1:]):
            await channel.basic_cancel(tag, nowait=True)
            # aiormq forgets it here, and would drop what is still on its way, unsettled.
            channel.consumers[tag] = self._on_message
        for tag in tags[:1]:
            await channel.basic_cancel(tag)
        for tag in tags[1:]:  # the broker answers in order: nothing comes to them after this answer
            channel.consumers.pop(tag, None)
