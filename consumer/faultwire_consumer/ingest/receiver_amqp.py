"""A lane's receiver for RabbitMQ: its own connection and supervisor, one generation per connection.

Callbacks only enqueue. Deliveries of a connection that broke are forgotten: the broker delivers
them again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from faultwire_consumer.ingest.delivery import Delivery, DeliveryQueue, read_delivery
from faultwire_consumer.ingest.prefetch import PrefetchPlan
from faultwire_consumer.ingest.settlement import BrokerHandle, give_back
from faultwire_consumer.metrics import Metrics
from faultwire_shared.amqp import (
    CLOSE_SECONDS,
    BrokerError,
    BrokerRefusedError,
    TopologyError,
    broker_call,
    check,
    close,
    connect,
    declare,
)
from faultwire_shared.event import Lane
from faultwire_shared.logs import get_logger
from faultwire_shared.retry import full_jitter_delays
from faultwire_shared.topology import DEAD, TOPOLOGY, queue_of

_CALL_SECONDS: Final = 10.0
RECONNECT_SECONDS: Final = 5.0
"""The longest wait between two attempts: workers are few, and a broker that is back has a backlog."""

log = get_logger(__name__)


async def ensure_topology(connection: AbstractConnection) -> None:
    """See that the queues stand; declare what is missing where this user may.

    Raises:
        TopologyError: something is missing and this user may not declare; says what to run.
        BrokerUnreachableError: the connection broke meanwhile.
    """
    try:
        await check(connection, queues=tuple(queue.name for queue in TOPOLOGY.queues))
    except TopologyError as missing:
        try:
            await declare(connection)
        except BrokerRefusedError:
            raise missing from None


class AmqpReceiver:
    """Consumes one lane's queue, or under another name than a lane's the dead letters'."""

    def __init__(self, lane: str, broker_url: str, *, metrics: Metrics) -> None:
        self.lane = lane
        self.queue = queue_of(Lane(lane)) if lane in set(Lane) else DEAD
        self._url = broker_url
        self._metrics = metrics
        self._queue = DeliveryQueue()
        self._channel: AbstractChannel | None = None
        self._consumer_tag: str | None = None
        self._prefetch = PrefetchPlan()
        self._changing = asyncio.Lock()
        self._adjusting: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._stopping = asyncio.Event()

    @property
    def receiving(self) -> bool:
        """Whether the broker has this lane's consumer."""
        return self._consumer_tag is not None

    async def run(self) -> None:
        """Connect, consume until the connection is lost, wait, connect again."""
        delays = full_jitter_delays(most_seconds=RECONNECT_SECONDS)
        while not self._stopping.is_set():
            received = False
            try:
                received = await self._run_generation()
            except BrokerError as error:
                why = str(error)
            else:
                why = "the connection or the consumer is gone"
            if self._stopping.is_set():
                return
            delays = full_jitter_delays(most_seconds=RECONNECT_SECONDS) if received else delays
            await self._wait_after(why, next(delays))

    async def _run_generation(self) -> bool:
        connection = await connect(self._url, f"faultwire worker {self.lane}")
        try:
            await self._consume(connection)
            await self._lost.wait()
            return True
        finally:
            self._forget_generation()
            await close(connection)

    async def _wait_after(self, why: str, delay: float) -> None:
        log.warning("broker.lost", lane=self.lane, why=why, again_in_seconds=round(delay, 1))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)

    async def _consume(self, connection: AbstractConnection) -> None:
        await ensure_topology(connection)
        self._lost.clear()
        connection.close_callbacks.add(self._on_lost)
        async with broker_call("open a channel", _CALL_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
            channel.close_callbacks.add(self._on_lost)
            # aiormq's own channel: aio-pika's message object and task for each delivery cost a
            # fifth of the rate, and nothing here uses them.
            self._channel = await channel.get_underlay_channel()
        self._channel.on_consumer_cancel_callbacks.add(self._on_lost)
        if self._wanted.is_set():
            async with self._changing:
                await self._start_consumer()
        log.info("broker.connected", lane=self.lane, queue=self.queue)

    async def _start_consumer(self) -> None:
        if self._channel is None or self._consumer_tag is not None or self._stopping.is_set():
            return
        async with broker_call(f"consume {self.queue}", _CALL_SECONDS):
            await self._channel.basic_qos(prefetch_count=self._prefetch.messages)
            answer = await self._channel.basic_consume(self.queue, self._on_message)
        self._consumer_tag = answer.consumer_tag

    async def _adjust_prefetch(self) -> None:
        """A prefetch holds for the consumers that come after it, so the consumer is made anew."""
        async with self._changing:
            if self._consumer_tag is None:
                return
            try:
                await self._cancel_consumer()
                await self._start_consumer()
            except BrokerError:
                self._lost.set()

    async def _on_message(self, message: DeliveredMessage) -> None:
        delivered = message.delivery
        if not isinstance(delivered, Basic.Deliver):
            return
        properties = message.header.properties
        handle = BrokerHandle(message.channel, delivered.delivery_tag or 0)
        delivery = self.read(message.body, properties.message_type, properties.headers or {}, handle)
        self._queue.put(delivery)
        if self._prefetch.note(len(message.body), is_suspect=delivery.is_suspect):
            self._adjusting = asyncio.create_task(self._adjust_prefetch())

    def read(
        self, body: bytes, message_type: str | None, headers: Mapping[str, Any], handle: BrokerHandle
    ) -> Delivery:
        """A message of this queue as a delivery."""
        count = headers.get("x-delivery-count", 0)
        attempts = 1 + (count if isinstance(count, int) else 0)
        return read_delivery(body, message_type, origin=self.queue, handle=handle, attempts=attempts)

    def _on_lost(self, *_: object) -> None:
        self._consumer_tag = None
        self._lost.set()

    def _forget_generation(self) -> None:
        self._channel = None
        self._consumer_tag = None
        self._queue.clear()

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """The next batch of this lane."""
        batch = await self._queue.collect(size=size, linger=linger)
        self._metrics.events_received.labels(lane=self.lane).inc(
            sum(max(1, len(one.events)) for one in batch)
        )
        return batch

    async def pause(self) -> None:
        """Cancel the consumer, then return what waits, once: a requeue loop would use up its deliveries."""
        self._wanted.clear()
        async with self._changing:
            await self._cancel_consumer()
        await give_back(self._queue.clear(), "paused", metrics=self._metrics)

    async def _cancel_consumer(self) -> None:
        tag, self._consumer_tag = self._consumer_tag, None
        if tag is None or self._channel is None:
            return
        try:
            async with broker_call("cancel the consumer", CLOSE_SECONDS):
                await self._channel.basic_cancel(tag)
        except BrokerError:
            self._lost.set()

    async def resume(self) -> None:
        """Consume again."""
        self._wanted.set()
        async with self._changing:
            try:
                await self._start_consumer()
            except BrokerError:
                self._lost.set()

    async def stop(self) -> None:
        """Cancel the consumer; what waits can still be collected."""
        self._stopping.set()
        async with self._changing:
            await self._cancel_consumer()
        self._queue.close()

    async def close(self) -> None:
        """End `run`, which closes the connection."""
        self._lost.set()
