"""A delivery waiting for its batch, and a lane's queue from which batches are taken."""

import asyncio
from collections import deque
from typing import Any, Final

from msgspec import Raw, Struct

from faultwire_consumer.domain.access.allowance import Allowance
from faultwire_shared.codec import Undecodable, split
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.trace_context import TraceContext

IMPORT: Final = "import"
"""The origin of a request that says by ``?import`` that it brings history, possibly only a part of it."""
POLL_SECONDS: Final = 0.001
SUSPECT_ATTEMPTS: Final = 3
"""From this attempt on a delivery may have killed a worker, twice: it is tried alone."""


class Delivery(Struct):
    """One message, taken apart; ``handle`` is what settlement needs to return or acknowledge it."""

    body: bytes
    message_type: str | None
    origin: str
    handle: Any
    attempts: int
    events: list[Raw]
    fault: Undecodable | None
    allowance: Allowance | None = None
    """The services of which it may bring events; None: of every one."""
    oddity: str = ""
    """What the AMQP library could not read of the message's properties; empty for nearly all."""
    size: int = 0
    """Bytes of the message as it came, where only its beginning is kept; 0 for nearly all."""
    trace: TraceContext | None = None
    """The span that the message names, where somebody traces this worker."""

    @property
    def is_suspect(self) -> bool:
        """True if it came back so often that it may be what kills a worker."""
        return self.attempts >= SUSPECT_ATTEMPTS

    def cut(self) -> None:
        """Let go of what lies beyond the limit: a dead letter keeps no more of it, and many may wait here."""
        if len(self.body) > MESSAGE_BYTES:
            self.body, self.size = self.body[:MESSAGE_BYTES], len(self.body)


def read_delivery(
    body: bytes,
    message_type: str | None,
    *,
    origin: str,
    handle: Any,
    attempts: int = 1,
    allowance: Allowance | None = None,
) -> Delivery:
    """Take a message apart; one that cannot be read is a delivery with a fault and no events."""
    try:
        events, fault = split(body, message_type), None
    except Undecodable as error:
        events, fault = [], error.with_traceback(None)  # its frames hold the whole body
    return Delivery(body, message_type, origin, handle, attempts, events, fault, allowance)


class DeliveryQueue:
    """Deliveries of one lane, in order of arrival, taken in batches."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> Delivery | None:
        """The one that came first; None while none waits."""
        return self._waiting[0] if self._waiting else None

    @property
    def is_closed(self) -> bool:
        """True once nothing more will be put."""
        return self._closed

    def put(self, delivery: Delivery) -> None:
        """Append a delivery; never blocks (the broker's prefetch and the intake's cap bound the queue)."""
        self._waiting.append(delivery)
        self._arrived.set()

    def clear(self) -> list[Delivery]:
        """Take everything out, to be given back."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def close(self) -> None:
        """Accept nothing more: `collect` returns what waits, then empty batches."""
        self._closed = True
        self._arrived.set()

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """Wait for a first delivery, then collect up to about ``size`` events.

        The linger adapts: a single waiting delivery goes at once, so that a quiet service's
        events are stored without delay; only while more than one waits and more keep coming is
        there a wait, a millisecond at a time and ``linger`` seconds at most. It counts events,
        not messages, since one message may carry fifty. A suspect is a batch of its own: if it kills
        the worker, no other delivery is involved.

        Returns:
            An empty batch once the queue is closed and empty.
        """
        while not self._waiting:
            if self._closed:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        batch: list[Delivery] = []
        taken = self._move_to(batch, size)
        polls = int(linger / POLL_SECONDS) if len(batch) > 1 else 0
        while polls > 0 and taken < size:
            await asyncio.sleep(POLL_SECONDS)
            if not self._waiting or self._waiting[0].is_suspect:
                break
            taken += self._move_to(batch, size - taken)
            polls -= 1
        return batch

    def _move_to(self, batch: list[Delivery], size: int) -> int:
        taken = 0
        while self._waiting and taken < size:
            if self._waiting[0].is_suspect and batch:
                break
            delivery = self._waiting.popleft()
            batch.append(delivery)
            if delivery.is_suspect:
                return size
            taken += max(1, len(delivery.events))
        return taken
