"""SyncErrorManager: the same for threads, in hosts that have no event loop."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, Unpack

from faultwire.capture.handled import ExtraFields, Extras
from faultwire.client import Client, Durability
from faultwire.publish.publisher_thread import PublisherThread
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity


class SyncErrorManager(Client):
    """``ErrorManager`` for threads: nothing to await, from wherever it is called.

    ``errors = SyncErrorManager(service="billing", broker_url="amqp://…")`` at a module's top is enough. A
    daemon thread publishes; the first event starts it, in each process anew: a manager may be made before a
    fork. What the process has not published at its end goes to disk, in two seconds at most. As a context
    manager it connects at once, and closes at the block's end; it may be entered again.
    """

    _make_thread = PublisherThread

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

        What interrupts the call from outside (Ctrl-C, a signal's handler that raises) goes on its way.

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
        response, ticket = self._parts.no_room[0], None
        try:
            at_once = durability == "spooled"
            extras = Extras(context=context, **extra)
            response, ticket = self._handle(error, severity, user_message, extras, at_once=at_once)
            outlet, thread = self._parts.outlet, self._parts.thread
            if durability != "buffered" and outlet is not None and thread is not None and thread.may_wait:
                outlet.settle_blocking(ticket, self._confirm_timeout, on_disk=at_once)
        except RecursionError:  # without room for another call, or for the wait alone
            self._parts.losses.stranded += ticket is None
        return response

    def start(self) -> None:
        """Connect now and not at the first event; what an earlier process left on disk is published then."""
        if self._parts.thread is not None:
            self._parts.thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is in memory, at most ``timeout`` seconds; True if that was reached.

        What is on disk is waited for too, unless the broker is known to be away.
        """
        parts = self._parts
        parts.pipeline.hand_over()
        return parts.thread is None or parts.thread.flush(timeout)

    def close(self) -> None:
        """Flush and close, in ``shutdown_timeout`` seconds altogether; what is left goes to disk.

        Without a spool, what is left is counted as lost.
        """
        parts = self._parts
        parts.pipeline.stop()
        if parts.thread is not None:
            parts.thread.close(self._shutdown_timeout)

    def __enter__(self) -> Self:
        self._begin_again()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
