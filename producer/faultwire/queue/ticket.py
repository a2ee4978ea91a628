"""One event on its way out, and its final state."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from faultwire_shared.event import Lane
from faultwire_shared.trace_context import TraceContext

if TYPE_CHECKING:
    import asyncio  # a third of the client's import time, and a host without a loop never needs it

State = Literal["confirmed", "spooled", "refused", "buffered"]


class FinalState(Struct, frozen=True):
    """The place where an event ended; ``refused`` comes with its reason, and ``buffered`` is not final."""

    state: State
    reason: str | None = None

    @property
    def accepted(self) -> bool:
        """True if the broker, the worker or the disk has it."""
        return self.state in ("confirmed", "spooled")


BUFFERED: Final = FinalState("buffered")
SPOOLED: Final = FinalState("spooled")
CONFIRMED: Final = FinalState("confirmed")
FAILED: Final = FinalState("refused", "client_failed")
"""Of an error whose way in was cut short: a full stack, no memory, an interruption."""


def refused(reason: str) -> FinalState:
    """The final state of an event that will not arrive."""
    return FinalState("refused", reason)


class Ticket:
    """An encoded event with its lane; it lets go of the bytes once they are needed no more.

    ``row`` is its number in the spool's file, once it was written there; ``buffered_at`` a monotonic time;
    ``number`` the producer's id and which of its events, where that is known without a look into the body.
    """

    __slots__ = (
        "__weakref__",
        "_waiters",
        "body",
        "buffered_at",
        "event_id",
        "is_placed",
        "lane",
        "number",
        "rank",
        "routing_key",
        "row",
        "state",
        "trace",
        "turned_away",
    )

    def __init__(
        self,
        *,
        event_id: str,
        body: bytes = b"",
        lane: Lane = Lane.ROUTINE,
        rank: int = 0,
        routing_key: str = "",
        number: tuple[str, int] | None = None,
        state: FinalState = BUFFERED,
    ) -> None:
        self.event_id: str = event_id
        self.body: bytes = body
        self.lane: Lane = lane
        self.rank: int = rank
        self.routing_key: str = routing_key
        self.number: tuple[str, int] | None = number
        self.state: FinalState = state
        self.row: int = 0
        self.trace: TraceContext | None = None
        """The span in which it was handled; what is read from the disk has lost it."""
        self.is_placed: bool = False
        """Somebody has it and will settle it: the buffer, a storm's window, or what was set aside."""
        self.buffered_at: float = 0.0
        self.turned_away: bool = False
        self._waiters: list[Callable[[], None]] = []

    @property
    def settled(self) -> bool:
        """True once the state is final; what is spooled may still be confirmed."""
        return self.state is not BUFFERED

    @property
    def decided(self) -> bool:
        """True once the other side has spoken."""
        return self.state is not BUFFERED and self.state is not SPOOLED

    @property
    def answered(self) -> bool:
        """True once it is settled, or the spool said that it cannot take it now."""
        return self.turned_away or self.settled

    def settle(self, state: FinalState) -> None:
        """Give the event its final state and wake those who wait for it."""
        self.become(state)
        self.wake()

    def become(self, state: FinalState) -> None:
        """``settle`` for the critical section: it is left before anybody is woken."""
        if not self.decided:
            self.state = state
            if state is not SPOOLED:  # what is on disk may be published from memory yet
                self.body = b""

    def turn_away(self) -> None:
        """Say that the spool cannot take the event now: it stays in memory, and nobody need wait."""
        self.turned_away = True
        self.wake()

    async def wait(
        self, seconds: float | None, until: "Callable[[Ticket], bool] | None" = None
    ) -> FinalState:
        """The state once it is final (or ``until`` holds), or the one it has after ``seconds``."""
        import asyncio  # noqa: PLC0415 - see above

        until = until or _is_settled
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while not until(self):
            future: asyncio.Future[None] = loop.create_future()
            waiters, wake = self._waiters, partial(_resolve_soon, future)
            waiters.append(wake)
            if until(self):  # it may have been settled by another thread in between
                break
            if waiters is not self._waiters:  # or woken, and this future with nobody
                continue
            remaining = None if deadline is None else max(0.0, deadline - loop.time())
            done, _ = await asyncio.wait((future,), timeout=remaining)
            if not done:
                with suppress(ValueError):  # it was being woken just now
                    waiters.remove(wake)
                break
        return self.state

    def wait_blocking(
        self, seconds: float | None, until: "Callable[[Ticket], bool] | None" = None
    ) -> FinalState:
        """``wait`` for a thread without an event loop: blocks it."""
        until = until or _is_settled
        deadline = None if seconds is None else time.monotonic() + seconds
        while not until(self):
            # Not an Event: a signal's handler may find its lock taken by the very wait that it interrupted.
            done = threading.Lock()
            done.acquire()
            waiters = self._waiters
            waiters.append(done.release)
            if until(self):  # as above
                break
            if waiters is not self._waiters:
                continue
            if not done.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
                with suppress(ValueError):
                    waiters.remove(done.release)
                break
        return self.state

    def wake(self) -> None:
        """Have those who wait look at the state."""
        waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()


def _is_settled(ticket: Ticket) -> bool:
    return ticket.settled


def _resolve_soon(future: "asyncio.Future[None]") -> None:
    # The waiter may live in another thread's loop than the publisher, and that may close meanwhile.
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(_resolve, future)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
