"""One event on its way out, and its final state."""

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from faultwire_shared.event import Lane

if TYPE_CHECKING:
    import asyncio  # a third of the client's import time, and a host without a loop never needs it

State = Literal["confirmed", "spooled", "refused", "buffered"]


class FinalState(Struct, frozen=True):
    """Where an event ended; ``refused`` comes with its reason, and ``buffered`` is not final."""

    state: State
    reason: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the broker, the worker or the disk has it."""
        return self.state in ("confirmed", "spooled")


BUFFERED: Final = FinalState("buffered")
CONFIRMED: Final = FinalState("confirmed")


def refused(reason: str) -> FinalState:
    """The final state of an event that will not arrive."""
    return FinalState("refused", reason)


class Ticket:
    """An encoded event with its lane; it lets go of the bytes once it is settled."""

    __slots__ = ("_future", "body", "event_id", "lane", "rank", "routing_key", "state")

    def __init__(
        self,
        *,
        event_id: str,
        body: bytes = b"",
        lane: Lane = Lane.ROUTINE,
        rank: int = 0,
        routing_key: str = "",
        state: FinalState = BUFFERED,
    ) -> None:
        self.event_id = event_id
        self.body = body
        self.lane = lane
        self.rank = rank
        self.routing_key = routing_key
        self.state = state
        self._future: asyncio.Future[FinalState] | None = None

    @property
    def settled(self) -> bool:
        """Whether the state is final."""
        return self.state is not BUFFERED

    def settle(self, state: FinalState) -> None:
        """Give the event its final state and wake whoever waits for it."""
        if self.settled:
            return
        self.state = state
        self.body = b""
        future = self._future
        if future is not None and not future.get_loop().is_closed():
            # The waiter may live in another thread's loop than the publisher.
            future.get_loop().call_soon_threadsafe(_resolve, future, state)

    async def wait(self, seconds: float | None) -> FinalState:
        """The final state, or ``buffered`` when it is not known within ``seconds``."""
        import asyncio  # noqa: PLC0415 - see above

        if self.settled:
            return self.state
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        if not self.settled:  # it may have been settled by another thread in between
            await asyncio.wait((self._future,), timeout=seconds)
        return self.state


def _resolve(future: "asyncio.Future[FinalState]", state: FinalState) -> None:
    if not future.done():
        future.set_result(state)
