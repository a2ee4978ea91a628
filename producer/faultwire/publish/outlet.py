"""The way out of one manager: its buffer, and a publisher in whichever event loop is running."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from faultwire.publish.buffer import LIMIT, Buffer, BufferLimit
from faultwire.publish.loss import Losses, LossReason
from faultwire.publish.ticket import Ticket, refused
from faultwire.publish.transport import Transport
from faultwire_shared.event import Lane

if TYPE_CHECKING:
    # A third of the client's import time, and a host without a loop never needs it.
    import asyncio

    from faultwire.publish.publisher import Publisher
    from faultwire.publish.spool import Spool

Delays = Callable[[float], Iterator[float]]
"""Makes endless waits in seconds that grow up to the given most."""

CLOSE_SECONDS: Final = 0.25
"""Of the time for closing so much is kept for the connection's own farewell, and as much for the disk's."""
DISK_SECONDS: Final = 1.0
"""For the disk, once the time for the confirm is over."""


class Outlet:
    """Takes tickets from any thread and sees that they are published, or says why they were not."""

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        losses: Losses,
        *,
        limit: BufferLimit = LIMIT,
        delays: Delays | None = None,
        make_spool: "Callable[[Buffer], Spool] | None" = None,
    ) -> None:
        self.buffer = Buffer(losses, limit)
        self.buffer.on_put = self._wake
        self.spool = make_spool(self.buffer) if make_spool else None
        if self.spool is not None:
            self.spool.on_rows = self._wake_drain
        self._make_transport = make_transport
        self._losses = losses
        self._delays = delays
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._closed = False

    def put(self, ticket: Ticket, *, at_once: bool = False) -> None:
        """Take an event; when that is not possible the ticket says why, and the loss is counted.

        ``at_once`` writes it to the spool without waiting for the confirm to be late.
        """
        if self._closed:
            self._losses.count(LossReason.CLOSED)
            ticket.settle(refused(LossReason.CLOSED.value))
            return
        if self.buffer.put(ticket) and self.spool is not None:
            if at_once:
                self.spool.ask(ticket)
            else:
                self.spool.notice()

    async def settle(self, ticket: Ticket, seconds: float, *, on_disk: bool) -> None:
        """Wait for the confirm, at most so long, then for the disk; ``on_disk`` is content with either."""
        if not on_disk:
            await ticket.wait(seconds, _is_decided)
            if ticket.settled or self.spool is None:
                return
            self.spool.ask(ticket)
        await ticket.wait(seconds if on_disk else DISK_SECONDS, _is_answered)

    def start(self) -> None:
        """Start the publisher in the running loop; without one, events wait for the first call in a loop."""
        if self._closed or self._is_running:
            return
        if "asyncio" not in sys.modules:
            return
        import asyncio  # noqa: PLC0415 - see above

        from faultwire.publish.publisher import Publisher  # noqa: PLC0415 - see above

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._loop = loop
        self._thread = threading.get_ident()
        self._publisher = Publisher(
            self.buffer,
            self._make_transport(),
            self._losses,
            delays=self._delays or _jitter(),
            spool=self.spool,
        )
        if self.spool is not None:
            self.spool.start()
        self._task = loop.create_task(self._publisher.run(), name="faultwire publisher")

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing is buffered, at most so long; whether it came to that."""
        if not self.buffer.held and not self.buffer.spooled:
            return True
        self.start()
        if self._publisher is None:
            return not self.buffer.held
        return await self._publisher.drain(seconds)

    async def aclose(self, seconds: float) -> None:
        """Flush and close, in so many seconds altogether; what is left then is counted as lost."""
        import asyncio  # noqa: PLC0415 - see above

        if self._closed:
            return
        deadline = time.monotonic() + seconds
        farewell = CLOSE_SECONDS if self.spool is None else 2 * CLOSE_SECONDS
        try:
            await self.flush(max(0.0, seconds - farewell))
        finally:
            self._closed = True
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait((self._task,), timeout=max(CLOSE_SECONDS, deadline - time.monotonic()))
            if self.spool is not None:
                left = max(CLOSE_SECONDS, deadline - time.monotonic())
                await asyncio.get_running_loop().run_in_executor(None, self.spool.close, left)
            self.buffer.abandon(LossReason.SHUTDOWN)
            self._losses.close()

    def forget(self) -> None:
        """Start anew in a forked child: connection, loop and file are the parent's."""
        self._publisher = self._task = self._loop = None
        self.buffer.forget()
        if self.spool is not None:
            self.spool.forget()

    @property
    def _is_running(self) -> bool:
        # A task in a loop that was closed without a word is never done.
        return self._task is not None and not self._task.done() and not self._task.get_loop().is_closed()

    def _wake_drain(self) -> None:
        publisher, loop = self._publisher, self._loop
        if publisher is not None and loop is not None:
            with suppress(RuntimeError):  # the loop closed; the next publisher looks for itself
                loop.call_soon_threadsafe(publisher.wake_drain)

    def _wake(self, lane: Lane) -> None:
        publisher, loop = self._publisher, self._loop
        if publisher is None or loop is None or not self._is_running:
            self.start()
        elif self._thread == threading.get_ident():
            publisher.wake(lane)
        else:
            with suppress(RuntimeError):  # the other thread's loop closed; the event waits for the next one
                loop.call_soon_threadsafe(publisher.wake, lane)


def _is_decided(ticket: Ticket) -> bool:
    return ticket.decided


def _is_answered(ticket: Ticket) -> bool:
    return ticket.answered


def _jitter() -> Delays:
    from faultwire_shared.retry import full_jitter_delays  # noqa: PLC0415 - backoff is imported on first use

    return lambda most: full_jitter_delays(most_seconds=most)
