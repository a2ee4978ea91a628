"""The way out of one manager: its buffer, and a publisher in whichever event loop is running."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from faultwire.publish.buffer import LIMIT, Buffer, LaneLimit
from faultwire.publish.loss import Losses, LossReason
from faultwire.publish.ticket import Ticket, refused
from faultwire.publish.transport import Transport
from faultwire_shared.event import Lane

if TYPE_CHECKING:
    # A third of the client's import time, and a host without a loop never needs it.
    import asyncio

    from faultwire.publish.publisher import Publisher

Delays = Callable[[float], Iterator[float]]
"""Makes endless waits in seconds that grow up to the given most."""

CLOSE_SECONDS: Final = 0.25
"""Of the time for closing so much is kept for the connection's own farewell."""


class Outlet:
    """Takes tickets from any thread and sees that they are published, or says why they were not."""

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        losses: Losses,
        *,
        limit: LaneLimit = LIMIT,
        delays: Delays | None = None,
    ) -> None:
        self.buffer = Buffer(losses, limit)
        self.buffer.on_put = self._wake
        self._make_transport = make_transport
        self._losses = losses
        self._delays = delays
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._closed = False

    def put(self, ticket: Ticket) -> None:
        """Take an event; when that is not possible the ticket says why, and the loss is counted."""
        if self._closed:
            self._losses.count(LossReason.CLOSED)
            ticket.settle(refused(LossReason.CLOSED.value))
            return
        self.buffer.put(ticket)

    def start(self) -> None:
        """Start the publisher in the running loop; without one, events wait for the first call in a loop."""
        if self._closed or (self._task is not None and not self._task.done()):
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
            self.buffer, self._make_transport(), self._losses, delays=self._delays or _jitter()
        )
        self._task = loop.create_task(self._publisher.run(), name="faultwire publisher")

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing is buffered, at most so long; whether it came to that."""
        if not self.buffer.held:
            return True
        self.start()
        if self._publisher is None:
            return False
        return await self._publisher.drain(seconds)

    async def aclose(self, seconds: float) -> None:
        """Flush and close, in so many seconds altogether; what is left then is counted as lost."""
        import asyncio  # noqa: PLC0415 - see above

        if self._closed:
            return
        deadline = time.monotonic() + seconds
        try:
            await self.flush(max(0.0, seconds - CLOSE_SECONDS))
        finally:
            self._closed = True
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait((self._task,), timeout=max(CLOSE_SECONDS, deadline - time.monotonic()))
            self.buffer.abandon(LossReason.SHUTDOWN)
            self._losses.close()

    def _wake(self, lane: Lane) -> None:
        publisher, loop = self._publisher, self._loop
        if publisher is None or loop is None or self._task is None or self._task.done():
            self.start()
        elif self._thread == threading.get_ident():
            publisher.wake(lane)
        else:
            with suppress(RuntimeError):  # the other thread's loop closed; the event waits for the next one
                loop.call_soon_threadsafe(publisher.wake, lane)


def _jitter() -> Delays:
    from faultwire_shared.retry import full_jitter_delays  # noqa: PLC0415 - backoff is imported on first use

    return lambda most: full_jitter_delays(most_seconds=most)
