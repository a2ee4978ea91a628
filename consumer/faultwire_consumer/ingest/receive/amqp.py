"""A lane's receiver for RabbitMQ: its own connection and supervisor, one generation per channel.

Callbacks only enqueue. Deliveries of a broken connection are dropped: the broker delivers them again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from faultwire_consumer.ingest.read.delivery import Delivery, DeliveryQueue, read_delivery
from faultwire_consumer.ingest.receive.consumers import Consumers
from faultwire_consumer.ingest.receive.frames import Oddities, odd_frames_are_read, oddity_of
from faultwire_consumer.ingest.receive.outage import Outage, OutageReason
from faultwire_consumer.ingest.receive.prefetch import PrefetchPlan
from faultwire_consumer.ingest.receive.redelivery import attempts_of
from faultwire_consumer.ingest.receive.sender import allowance_in
from faultwire_consumer.ingest.receive.settlement import BrokerHandle, Generation, give_back
from faultwire_consumer.metrics import Metrics
from faultwire_shared.amqp import (
    CLOSE_SECONDS,
    BrokerError,
    BrokerRefusedError,
    BrokerUnreachableError,
    TopologyError,
    broker_call,
    check,
    close,
    connect,
    declare,
)
from faultwire_shared.event import Lane
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays
from faultwire_shared.topology import DEAD, TOPOLOGY, queue_of

_CALL_SECONDS: Final = 10.0
RECONNECT_SECONDS: Final = 5.0
"""The longest wait between two attempts: workers are few, and a broker that is back has a backlog."""
RENEW_SECONDS: Final = 15.0
"""Minimum time for which a channel is used. If the leader of a queue dies just after it gave a message to
a consumer, the next leader considers it delivered although the consumer never saw it: RabbitMQ notices by
the gap when another message comes, and until then redelivers it to nobody (rabbit_fifo of 3.10; seen with
three nodes). Only closing the channel gives back what it holds."""
_RENEWED: Final = "its channel is being renewed"
ALL_QUEUES: Final = tuple(queue.name for queue in TOPOLOGY.queues)

log = get_logger(__name__)


class GenerationLostError(BrokerUnreachableError):
    """The connection, the channel or the consumer was lost after it had been established."""


async def ensure_topology(connection: AbstractConnection, queues: tuple[str, ...] = ALL_QUEUES) -> None:
    """Make sure that these queues exist; declare the topology if one is missing and this user may.

    Raises:
        TopologyError: something is missing and this user may not declare; says what to run.
        BrokerUnreachableError: the connection broke meanwhile.
    """
    try:
        await check(connection, queues=queues)
    except TopologyError as missing:
        try:
            await declare(connection)
        except BrokerRefusedError:
            raise missing from None


class AmqpReceiver:
    """Consumes one lane's queue, or the dead letters' queue under a name that is not a lane's."""

    def __init__(self, lane: str, broker_url: str, *, metrics: Metrics, checks_key: bool = False) -> None:
        self.lane = lane
        self.queue = queue_of(Lane(lane)) if lane in set(Lane) else DEAD
        self._url = broker_url
        self._metrics, self._checks_key = metrics, checks_key
        self._queue = DeliveryQueue()
        self._consumers: Consumers | None = None
        self._prefetch = PrefetchPlan()
        self._changing = asyncio.Lock()
        self._adjusting: asyncio.Task[None] | None = None
        self._outage, self._oddities = Outage(), Oddities()
        self._delays = full_jitter_delays(max_seconds=RECONNECT_SECONDS)
        self._is_wanted, self._is_renewing = True, False
        self._stopping = asyncio.Event()
        self._supervising: asyncio.Task[None] | None = None

    @property
    def receiving(self) -> bool:
        """True while the broker has this lane's consumer, or is about to have it on a new channel."""
        return self._is_renewing or (self._consumers is not None and self._consumers.are_there)

    @property
    def why_idle(self) -> str:
        """Reason why nothing can come in at this moment; empty while it can."""
        if self.receiving:
            return ""
        if self._stopping.is_set():
            return "it is being stopped"
        if not self._is_wanted:
            return "it waits for the store"
        return f"{self.queue} has no consumer of this worker: {self._outage.why}"

    @property
    def waiting(self) -> int:
        """Number of deliveries that wait for their batch."""
        return len(self._queue)

    @property
    def oldest(self) -> Delivery | None:
        """Delivery that has waited longest for its batch."""
        return self._queue.oldest

    async def run(self) -> None:
        """Connect, consume until that is lost, wait, connect again."""
        self._supervising = asyncio.create_task(self._supervise())
        try:
            await self._supervising
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise

    async def _supervise(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            started = clock()
            try:
                await self._run_generation()
            except BrokerError as error:
                if self._stopping.is_set():
                    return
                if isinstance(error, GenerationLostError):
                    self._metrics.broker_losses.labels(lane=self.lane).inc()
                    if clock() - started > RECONNECT_SECONDS:
                        self._delays = full_jitter_delays(max_seconds=RECONNECT_SECONDS)
                await self._wait_after(error)
            except Exception as error:
                log.exception("receiver.failed", lane=self.lane)
                await self._wait_after(GenerationLostError(f"the receiver failed: {type(error).__name__}"))

    async def _run_generation(self) -> None:
        with odd_frames_are_read():
            connection = await connect(self._url, f"faultwire worker {self.lane}")
        connection.close_callbacks.add(self._on_connection_gone)
        try:
            await ensure_topology(connection, (self.queue,))
            while True:
                await self._run_channel(connection)
        finally:
            self._forget()
            await close(connection)

    def _on_connection_gone(self, connection: object, error: BaseException | None) -> None:
        if self._consumers is not None:
            _end(self._consumers.generation, "the connection is gone", connection, error)

    async def _run_channel(self, connection: AbstractConnection) -> None:
        """Consume on a channel of its own until it is to be renewed; raise if it is lost before that."""
        channel, generation = await self._open(connection)
        self._consumers = Consumers(generation, self.queue, self._on_message)
        await self._start_consuming()
        self._is_renewing = False
        renewing = asyncio.create_task(self._renew_when_due(self._consumers))
        try:
            why = await generation.wait_ended()
        finally:
            renewing.cancel()
        if why != _RENEWED:
            raise GenerationLostError(why)
        await close(channel)

    async def _renew_when_due(self, consumers: Consumers) -> None:
        """After a while, at a moment without deliveries, accept no more; end the channel once settled."""
        await asyncio.sleep(RENEW_SECONDS)
        await consumers.generation.wait_empty()
        self._is_renewing = consumers.are_there
        async with self._changing:
            await self._cancel(consumers)
        await consumers.generation.wait_empty()
        consumers.generation.end(_RENEWED)

    async def _wait_after(self, error: BrokerError) -> None:
        delay, reason = next(self._delays), _reason_of(error)
        if self._outage.note_trouble(reason, str(error)):
            log.warning(
                "broker.lost",
                lane=self.lane,
                reason=reason,
                why=str(error),
                attempts=self._outage.attempts,
                again_in_seconds=round(delay, 1),
            )
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)

    async def _open(self, connection: AbstractConnection) -> tuple[AbstractChannel, Generation]:
        async with broker_call("open a channel", _CALL_SECONDS):
            channel = await connection.channel(publisher_confirms=False)
            # aiormq's own channel: aio-pika's message object and task for each delivery cost a
            # fifth of the throughput, and nothing here uses them.
            generation = Generation(await channel.get_underlay_channel())
        channel.close_callbacks.add(partial(_end, generation, "the channel is gone"))
        generation.channel.on_consumer_cancel_callbacks.add(
            lambda _: generation.end("the broker cancelled the consumer")
        )
        return channel, generation

    async def _start_consuming(self) -> None:
        async with self._changing:
            consumers = self._consumers
            is_wanted = self._is_wanted and not self._stopping.is_set()
            if consumers is None or consumers.generation.has_ended or consumers.are_there or not is_wanted:
                return
            async with broker_call(f"consume {self.queue}", _CALL_SECONDS):
                await consumers.adjust(self._prefetch.messages)
        if self._outage.note_well():
            log.info("broker.connected", lane=self.lane, queue=self.queue)

    async def _adjust_prefetch(self, consumers: Consumers) -> None:
        """Follow the plan, which may change in the meantime.

        The broker's answers queue behind the messages on their way, on a slow line for minutes: only the
        end of the connection shows that they will not come.
        """
        async with self._changing:
            try:
                async with broker_call("change the prefetch", None):
                    while consumers.are_there and consumers.prefetch != self._prefetch.messages:
                        await consumers.adjust(self._prefetch.messages)
            except BrokerError as error:
                consumers.generation.end(str(error))

    async def _on_message(self, consumers: Consumers, message: DeliveredMessage) -> None:
        delivered, generation = message.delivery, consumers.generation
        # A message that comes too late stays unacked, and so remains the broker's.
        if not isinstance(delivered, Basic.Deliver) or generation.has_ended or self._queue.is_closed:
            return
        handle = generation.add(delivered.delivery_tag or 0)
        delivery = self._read(message, handle, redelivered=bool(delivered.redelivered))
        self._queue.put(delivery)
        is_due = self._prefetch.note(len(message.body), is_suspect=delivery.is_suspect)
        if is_due and (self._adjusting is None or self._adjusting.done()):
            self._adjusting = asyncio.create_task(self._adjust_prefetch(consumers))

    def _read(self, message: DeliveredMessage, handle: BrokerHandle, *, redelivered: bool) -> Delivery:
        """Read a message, whatever its publisher wrote around it; what was odd there is noted."""
        properties = message.header.properties
        headers = properties.headers or {}
        attempts = attempts_of(headers, redelivered=redelivered)
        delivery = self.read(message.body, properties.message_type, headers, handle, attempts=attempts)
        delivery.cut()
        delivery.allowance = allowance_in(headers, message.routing_key, checks_key=self._checks_key)
        if oddity := oddity_of(message.header):
            delivery.oddity = oddity
            self._metrics.odd_properties.labels(lane=self.lane).inc()
            if messages := self._oddities.note():
                log.warning("delivery.odd_properties", lane=self.lane, messages=messages, why=oddity)
        return delivery

    def read(
        self,
        body: bytes,
        message_type: str | None,
        headers: Mapping[str, Any],
        handle: BrokerHandle,
        *,
        attempts: int = 1,
    ) -> Delivery:
        """Read a message of this queue as a delivery."""
        return read_delivery(body, message_type, origin=self.queue, handle=handle, attempts=attempts)

    def _forget(self) -> None:
        if self._consumers is not None:
            self._consumers.generation.end("its connection is being closed")
        self._consumers, self._is_renewing = None, False
        self._queue.clear()

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """Return the next batch of this lane."""
        batch = await self._queue.collect(size=size, linger=linger)
        events = sum(max(1, len(delivery.events)) for delivery in batch)
        self._metrics.events_received.labels(lane=self.lane).inc(events)
        return batch

    async def pause(self) -> None:
        """Cancel the consumer, then return what waits, once: requeueing again and again uses up the limit."""
        self._is_wanted = False
        async with self._changing:
            await self._cancel(self._consumers)
        await give_back(self._queue.clear(), "paused", metrics=self._metrics)

    async def _cancel(self, consumers: Consumers | None) -> None:
        if consumers is None or not consumers.are_there:
            return
        try:
            async with broker_call("cancel the consumer", CLOSE_SECONDS):
                await consumers.cancel()
        except BrokerError as error:
            consumers.generation.end(str(error))

    async def resume(self) -> None:
        """Consume again."""
        self._is_wanted = True
        consumers = self._consumers
        try:
            await self._start_consuming()
        except BrokerError as error:
            if consumers is not None:
                consumers.generation.end(str(error))

    async def stop(self) -> None:
        """Cancel the consumer, within three seconds or not at all; what waits can still be collected."""
        self._stopping.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS), self._changing:
                await self._cancel(self._consumers)
        self._queue.close()

    async def close(self) -> None:
        """End `run`, even in the middle of an attempt to connect, and close the connection."""
        self._stopping.set()
        for task in (self._adjusting, self._supervising):
            if task is not None:
                task.cancel()


def _end(generation: Generation, what: str, _: object, error: BaseException | None) -> None:
    """End the generation, as aio-pika's close callback; without a text the peer went silent or closed."""
    text = str(error or "").partition("\n")[0]
    generation.end(f"{what}: {text}" if text else what)


def _reason_of(error: BrokerError) -> OutageReason:
    match error:
        case GenerationLostError():
            return OutageReason.LOST
        case BrokerRefusedError():
            return OutageReason.REFUSED
        case TopologyError():
            return OutageReason.TOPOLOGY
        case _:
            return OutageReason.UNREACHABLE
