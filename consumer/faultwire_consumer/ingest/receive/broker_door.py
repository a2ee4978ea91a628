"""The intake's way to the broker: one confirmed publish per request, on a connection opened when needed."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from faultwire.publish.transport import Outgoing, TransportDown
from faultwire.publish.transport_amqp import AmqpTransport

REOPEN_SECONDS: Final = 0.5
"""Wait between two attempts to connect."""


class BrokerDoor:
    """Publishes bodies that others made, and connects when it has to."""

    def __init__(self, url: str, *, app_id: str, name: str = "faultwire intake") -> None:
        self._transport = AmqpTransport(url, app_id=app_id, name=name)
        self._opening = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._next_attempt_at = 0.0

    async def publish(
        self,
        body: bytes,
        *,
        message_type: str,
        routing_key: str,
        event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish one body and return when the broker has confirmed it.

        Raises:
            TransportDown: no connection; trying again later may help.
            Busy: the broker accepts nothing now.
            Refused: the broker will never accept this body.
        """
        await self._ensure_open()
        message = Outgoing(
            body=body,
            message_type=message_type,
            routing_key=routing_key,
            event_id=event_id,
            headers=headers or {},
        )
        try:
            await self._transport.publish(message)
        except TransportDown:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection; the next publish opens it again."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        await self._transport.aclose()

    async def _ensure_open(self) -> None:
        async with self._opening:
            if self._transport.is_open:
                return
            await self.aclose()
            if time.monotonic() < self._next_attempt_at:
                raise TransportDown("the broker could not be reached a moment ago")
            self._next_attempt_at = time.monotonic() + REOPEN_SECONDS
            await self._transport.open()
            self._watching = asyncio.create_task(self._transport.watch())
