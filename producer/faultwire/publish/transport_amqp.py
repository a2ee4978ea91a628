"""To RabbitMQ: mandatory, persistent, confirmed messages on a connection of their own."""

import asyncio
import time
import uuid
from typing import Final

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from faultwire.publish.transport import (
    PUBLISH_SECONDS,
    Busy,
    Outgoing,
    Refused,
    TransportDown,
    publish_seconds,
)
from faultwire_shared import amqp, topology
from faultwire_shared.amqp import BrokerError, broker_call
from faultwire_shared.codec import CONTENT_TYPE
from faultwire_shared.event import MESSAGE_BYTES

WATCH_SECONDS: Final = 1.0
_READY_SECONDS: Final = 0.1
RENEW_SECONDS: Final = 10.0
"""The least age of a channel at which a refusal may be its own and it is replaced."""


class AmqpTransport:
    """One publishing connection; opened anew after each loss.

    It publishes on one channel until a queue refuses. Whether a quorum queue takes messages is
    remembered by RabbitMQ for each channel, and not always rightly: one that first met the queue
    while its leader was dead is refused until that node is back, and the word that a full queue has
    room again can die with a leader (rabbit_fifo_client of 3.10). A new channel asks anew.
    """

    def __init__(self, url: str, *, app_id: str, name: str = "faultwire producer") -> None:
        self._url = url
        self._app_id = app_id
        self._name = name
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opened_at = 0.0
        self._retired: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._blocked = False

    @property
    def is_open(self) -> bool:
        """True while there is a connection, as far as is known."""
        return self._channel is not None and not self._channel.is_closed

    @property
    def is_blocked(self) -> bool:
        """True while the broker asks to publish nothing: a memory or disk alarm."""
        return self._blocked

    async def open(self) -> None:
        """Connect and open the channel; the exchange is not asked for, a producer may only write.

        Raises:
            TransportDown: the broker cannot be reached or refuses.
        """
        try:
            self._connection = await amqp.connect(self._url, self._name)
            async with broker_call("open a channel", PUBLISH_SECONDS):
                await self._open_channel(self._connection)
        except BrokerError as error:
            await self.aclose()
            raise TransportDown(str(error)) from None

    async def _open_channel(self, connection: AbstractConnection) -> None:
        self._opened_at = time.monotonic()  # before the wait: what is refused meanwhile renews nothing
        self._channel = await connection.channel(on_return_raises=True)
        self._exchange = await self._channel.get_exchange(topology.EVENTS, ensure=False)

    async def _renew_channel(self) -> None:
        """Go on with a new channel, at most once in ``RENEW_SECONDS``.

        What is on its way on the old one is still answered; only the one before it is closed.
        """
        if self._connection is None or time.monotonic() - self._opened_at < RENEW_SECONDS:
            return
        before, self._retired = self._retired, self._channel
        await self._open_channel(self._connection)
        if before is not None:
            await amqp.close(before)

    async def publish(self, message: Outgoing) -> None:
        """Publish and wait for the broker's ack, which says that a queue has it on disk.

        Raises:
            TransportDown: no connection, or it broke or hung; the message may have arrived.
            Busy: the broker is blocked, its queue is full, or no queue takes the key.
            Refused: too large, or of a shape that AMQP cannot carry.
        """
        if self._exchange is None:
            raise TransportDown("not connected")
        if self._blocked:
            raise Busy("the broker blocks publishers: its memory or disk alarm is on")
        if len(message.body) > MESSAGE_BYTES:
            raise Refused(f"{len(message.body):,} bytes, {MESSAGE_BYTES:,} at most")
        try:
            async with broker_call("publish", publish_seconds(message)):
                refusal = await self._publish(self._exchange, message)
        except BrokerError as error:
            if self._blocked:
                raise Busy(str(error)) from None
            raise TransportDown(str(error)) from None
        if refusal is not None:
            raise refusal

    async def _publish(self, exchange: AbstractExchange, message: Outgoing) -> Busy | Refused | None:
        """Publish; return why the message is not taken. What is raised is taken for a broken connection."""
        try:
            answer = await exchange.publish(self._envelope(message), message.routing_key, mandatory=True)
        except PublishError:
            return Busy("no queue takes the message; run `faultwire topology apply`")
        except DeliveryError:
            await self._renew_channel()
            return Busy("the broker's queue is full")
        except (TypeError, ValueError) as error:
            return Refused(f"not to be carried by AMQP: {error}")
        return None if isinstance(answer, Basic.Ack) else Busy("the broker returned the message")

    def _envelope(self, message: Outgoing) -> Message:
        return Message(
            message.body,
            content_type=CONTENT_TYPE,
            type=message.message_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            app_id=self._app_id,
            # Unique per attempt: with two equal ids in flight aiormq takes one's return for the other's ack.
            message_id=uuid.uuid4().hex,
            headers=_headers_of(message) or None,
        )

    async def watch(self) -> None:
        """Return when the connection or the channel broke; keep up to date whether it is blocked."""
        while self._connection is not None and self.is_open:
            self._blocked = not await self._is_ready(self._connection)
            await asyncio.sleep(WATCH_SECONDS)

    async def _is_ready(self, connection: AbstractConnection) -> bool:
        # aiormq does not pause when the broker says connection.blocked, and tells nobody:
        # ready() hanging is the only public sign.
        if connection.transport is None:
            return True
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await connection.transport.connection.ready()
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Close the connection, within three seconds."""
        connection, self._connection = self._connection, None
        self._channel = self._retired = self._exchange = None
        self._blocked = False
        if connection is not None:
            await amqp.close(connection)


def _headers_of(message: Outgoing) -> HeadersType:
    named = {topology.EVENT_ID_HEADER: message.event_id} if message.event_id else {}
    return {**named, **message.headers}
