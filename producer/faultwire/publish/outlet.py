"""The way out of one manager: its buffer, and a publisher in whichever event loop is running."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Final

from faultwire.audit.account import Account
from faultwire.audit.loss import Losses, LossReason
from faultwire.process.critical_section import SECTION
from faultwire.process.exit import EXIT_SECONDS, LEAVE
from faultwire.publish.pace import Delays
from faultwire.publish.transport import Transport
from faultwire.queue.buffer import LIMIT, Buffer, BufferLimit
from faultwire.queue.ticket import Ticket, refused
from faultwire_shared.event import Lane

if TYPE_CHECKING:
    # A third of the client's import time, and a host without a loop never needs it.
    import asyncio

    from faultwire.publish.publisher import Publisher
    from faultwire.publish.reporter import Reporter
    from faultwire.queue.spool import Spool

CLOSE_SECONDS: Final = 0.25
"""Part of the time for closing that is kept for the connection's farewell, and as much for the disk's."""
LAST_SECONDS: Final = 0.1
"""Time that the last steps take beyond their own: 0.08 s were seen, broker blocked and disk full."""
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
        account: Account | None = None,
    ) -> None:
        self.buffer: Buffer = Buffer(losses, limit)
        self.buffer.on_put = self._wake
        self.spool: Spool | None = make_spool(self.buffer) if make_spool else None
        if self.spool is not None:
            self.spool.on_rows = self._wake_drain
        self._account = account
        if account is not None:
            account.depth = self._depth
        self._make_transport = make_transport
        self._losses = losses
        self._delays = delays
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None
        self._reporter: Reporter | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._called: set[Lane] = set()
        self._closed = False
        self._departing = False
        self.on_idle: Callable[[], None] = self.start
        """Called for an event while no publisher runs; may come from any thread."""

    def put(self, ticket: Ticket, *, at_once: bool = False) -> None:
        """Take an event; when that is not possible the ticket says why, and the loss is counted.

        ``at_once`` writes it to the spool without waiting for the confirm to be late.
        """
        if self._closed and not self._departing:
            self._losses.count(LossReason.CLOSED, numbers=(ticket.number,))
            ticket.settle(refused(LossReason.CLOSED.value))
            return
        if self.buffer.put(ticket) and self.spool is not None:
            if at_once:
                self.spool.ask(ticket)
            else:
                self.spool.notice()
            # Looked at when it is in the buffer: what came before the end is written by its flush.
            if LEAVE.has_begun and not (LEAVE.is_ours or SECTION.is_ours()):
                self.spool.save(ticket, EXIT_SECONDS)

    async def settle(self, ticket: Ticket, seconds: float, *, on_disk: bool) -> None:
        """Wait at most ``seconds`` for the confirm, then for the disk; ``on_disk`` accepts either."""
        if not on_disk:
            await ticket.wait(seconds, _is_decided)
            if ticket.settled or self.spool is None:
                return
            self.spool.ask(ticket)
        await ticket.wait(seconds if on_disk else DISK_SECONDS, _is_answered)

    def settle_blocking(self, ticket: Ticket, seconds: float, *, on_disk: bool) -> None:
        """``settle`` for a thread without an event loop."""
        if not on_disk:
            ticket.wait_blocking(seconds, _is_decided)
            if ticket.settled or self.spool is None:
                return
            self.spool.ask(ticket)
        ticket.wait_blocking(seconds if on_disk else DISK_SECONDS, _is_answered)

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
        self._called = set()  # a loop that was closed never heard of what it was called for
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
        # In a context of their own: they last, and would keep what is bound to the request that came first.
        self._task = loop.create_task(self._publisher.run(), name="faultwire publisher", context=Context())
        self._report(self._publisher)

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing is buffered, for at most ``seconds``; True if that was reached."""
        if not self.buffer.held and not self.buffer.spooled:
            return True
        self.start()
        if self._publisher is None:
            return not self.buffer.held
        return await self._publisher.drain(seconds)

    async def aclose(self, seconds: float) -> None:
        """Flush and close, within ``seconds`` altogether; what is left then is counted as lost."""
        import asyncio  # noqa: PLC0415 - see above

        if self._closed:
            return
        seconds -= LAST_SECONDS
        deadline = time.monotonic() + seconds
        farewell = 2 * CLOSE_SECONDS
        try:
            await self.flush(max(0.0, seconds - farewell))
        finally:
            self._closed = True
            await self._say_goodbye(deadline - CLOSE_SECONDS)
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait((self._task,), timeout=max(CLOSE_SECONDS, deadline - time.monotonic()))
            if self.spool is not None:
                left = max(CLOSE_SECONDS, deadline - time.monotonic())
                await asyncio.get_running_loop().run_in_executor(None, self.spool.close, left)
            self.buffer.abandon(LossReason.SHUTDOWN)
            self._losses.close()
            await self._close_account()

    async def depart(self, seconds: float) -> None:
        """Close as the process ends: what still comes then goes to the spool, where there is one."""
        self._departing = self.spool is not None and not self._closed
        await self.aclose(seconds)

    def close_here(self, seconds: float) -> None:
        """Close where there is neither a loop nor a thread: what there is goes to disk."""
        self._closed = True
        if self.spool is not None:
            self.spool.close(seconds)
        self.buffer.abandon(LossReason.SHUTDOWN)
        self._losses.close()
        if self._account is not None:
            self._account.close(said=None)

    def _report(self, publisher: "Publisher") -> None:
        from faultwire.publish.reporter import Reporter  # noqa: PLC0415 - see above

        if self._account is not None and self._loop is not None:
            if self._reporting is not None and not self._reporting.get_loop().is_closed():
                self._reporting.get_loop().call_soon_threadsafe(self._reporting.cancel)
            self._reporter = Reporter(self._account, publisher.say)
            self._reporting = self._loop.create_task(
                self._reporter.run(), name="faultwire reporter", context=Context()
            )

    async def _say_goodbye(self, deadline: float) -> None:
        """Say what there is to say while the connection stands; without a spool what waits is lost by now."""
        import asyncio  # noqa: PLC0415 - see above

        if self.spool is None:
            self.buffer.abandon(LossReason.SHUTDOWN)
        if self._reporter is not None and self._reporting is not None:
            self._reporting.cancel()
            await asyncio.wait((self._reporting,), timeout=CLOSE_SECONDS)
            await self._reporter.close(max(0.0, deadline - time.monotonic()))

    async def _close_account(self) -> None:
        import asyncio  # noqa: PLC0415 - see above

        if self._account is not None:
            said = self._reporter.last_word if self._reporter is not None else None
            await asyncio.to_thread(self._account.close, said=said)

    def _depth(self) -> int:
        """Events that wait here; what was set aside on disk waits no more."""
        waiting = 0 if self.spool is None else min(self.spool.waiting, self.buffer.spooled)
        return self.buffer.held + waiting

    def leak(self) -> None:
        """In a forked child: connection and loop are the parent's, and are never closed here."""
        _leaked.append((self._publisher, self._task, self._reporting, self._loop))

    @property
    def is_closed(self) -> bool:
        """True once it takes nothing any more."""
        return self._closed

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
        if self._closed:  # it goes to the spool alone
            return
        if not self._is_running:
            self.on_idle()
        publisher, loop = self._publisher, self._loop
        if publisher is not None and loop is not None and lane not in self._called:
            self._call(publisher, loop, lane)

    def _call(self, publisher: "Publisher", loop: "asyncio.AbstractEventLoop", lane: Lane) -> None:
        """Wake the publisher by a callback of its loop, once for all that comes until it has heard of it.

        Not at once, even in its own thread: a destructor may come between the publisher's look into the
        buffer and its sleep, and the publisher would forget it.
        """
        called = self._called

        def wake() -> None:
            called.discard(lane)  # first: what comes from now on calls again
            publisher.wake(lane)

        try:
            called.add(lane)
            self._turn_of(loop)(wake)
        except RuntimeError:  # the loop closed; the event waits for the next one
            called.discard(lane)
        except BaseException:  # or nobody would call it any more
            called.discard(lane)
            raise

    def _turn_of(self, loop: "asyncio.AbstractEventLoop") -> Callable[[Callable[[], None]], object]:
        """The loop's call for its next turn: outside a task, its thread may be waiting for the network.

        A signal's handler runs within that wait, and does not end it.
        """
        is_in_task = self._thread == threading.get_ident() and sys.modules["asyncio"].current_task(loop)
        return loop.call_soon if is_in_task else loop.call_soon_threadsafe


_leaked: list[object] = []
"""The parents', in a forked child: their destructors would complain of what is still open there."""


def _is_decided(ticket: Ticket) -> bool:
    return ticket.decided


def _is_answered(ticket: Ticket) -> bool:
    return ticket.answered


def _jitter() -> Delays:
    from faultwire_shared.retry import full_jitter_delays  # noqa: PLC0415 - backoff is imported on first use

    return lambda most: full_jitter_delays(max_seconds=most)
