"""SyncErrorManager: the same for threads, in hosts that have no event loop."""

import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

from faultwire.capture.handled import ExtraFields, Extras
from faultwire.client import Client, Durability
from faultwire.process.critical_section import SECTION
from faultwire.process.exit import register_publisher
from faultwire.process.loop_thread import LoopThread, load
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity

SLACK_SECONDS: Final = 0.5
"""A busy machine may be so late with the answer of a loop that kept its own time."""

T = TypeVar("T")


class SyncErrorManager(Client):
    """``ErrorManager`` for threads: nothing to await, from wherever it is called.

    ``errors = SyncErrorManager(service="billing", broker_url="amqp://…")`` at a module's top is enough. A
    daemon thread publishes; the first event starts it, in each process anew: a manager may be made before a
    fork. What the process has not published at its end goes to disk, in two seconds at most. As a context
    manager it connects at once, and closes at the block's end.
    """

    _loop_thread: LoopThread

    def handle_error(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        *,
        durability: Durability = "buffered",
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """Take an error and answer it; never raises.

        Args:
            error: the exception.
            severity: without one, what the kind of error says; any usual spelling is understood.
            context: what helps to understand it; anything is taken, cut to bounds.
            user_message: shown to the caller in place of what the category would say.
            durability: ``buffered`` returns at once. ``spooled`` blocks until the event is on disk or
                confirmed, ``confirmed`` until the broker has it, both for ``confirm_timeout`` seconds at
                most; ``response.state`` then says how far the event has got. Not for a signal's handler:
                the thread that it interrupted may hold what the wait needs, and the time would run out.
            extra: ``tags``, ``user``, ``request``, ``transaction``, ``fingerprint``, ``handled`` and
                ``template``, as ``ExtraFields`` explains them.
        """
        at_once = durability == "spooled"
        extras = Extras(context=context, **extra)
        response, ticket = self._handle(error, severity, user_message, extras, at_once=at_once)
        if durability != "buffered" and self._outlet is not None and self._may_wait:
            self._outlet.settle_blocking(ticket, self._confirm_timeout, on_disk=at_once)
        return response

    def start(self) -> None:
        """Connect now and not at the first event; what an earlier process left on disk is published then."""
        self._publish()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is in memory, at most ``timeout`` seconds; whether it came to that.

        What is on disk is waited for too, unless the broker is known to be away.
        """
        self._entrance.hand_over()
        outlet = self._outlet
        if outlet is None:
            return True
        flushed = self._run_in_loop(lambda: outlet.flush(timeout), timeout)
        return not outlet.buffer.held if flushed is None else flushed

    def close(self) -> None:
        """Flush and close, in ``shutdown_timeout`` seconds altogether; what is left goes to disk.

        Without a spool, what is left is counted as lost.
        """
        deadline = time.monotonic() + self._shutdown_timeout
        self._entrance.stop()
        outlet = self._outlet
        if outlet is not None:
            self._run_in_loop(lambda: outlet.aclose(self._shutdown_timeout), self._shutdown_timeout)
            self._loop_thread.stop(max(0.1, deadline - time.monotonic()))

    def depart(self, seconds: float) -> Future[None] | None:
        """Begin to close, as the process ends."""
        if self._outlet is None or not self._loop_thread.is_running:
            return None
        return self._loop_thread.submit(self._outlet.aclose(seconds))

    @property
    def _may_wait(self) -> bool:
        return not (self._loop_thread.is_current or SECTION.is_ours())

    def _attend(self) -> None:
        if "_loop_thread" in self.__dict__:
            self._loop_thread.leak()
        else:
            self._loop_thread = LoopThread("faultwire publisher")
        if self._outlet is not None:
            self._outlet.on_idle = self._publish
        self._is_publishing = False

    def _publish(self) -> None:
        """See that there is a publisher; a call while one is being made does nothing."""
        if self._outlet is None or (self._is_publishing and self._loop_thread.is_running):
            return
        self._is_publishing = self._loop_thread.start()
        if self._is_publishing:
            register_publisher(self)
            self._loop_thread.post(partial(load, self._outlet.start))

    def _run_in_loop(self, make: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T | None:
        """What the coroutine comes to; None where it cannot be run, or does not end in time."""
        if self._loop_thread.is_current or not self._loop_thread.start():
            return None
        future = self._loop_thread.submit(make())
        if future is None:
            return None
        try:
            return future.result(seconds + SLACK_SECONDS)
        except Exception:  # noqa: BLE001 - its time ran out or its loop ended: the host is told by the answer
            future.cancel()
            return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
