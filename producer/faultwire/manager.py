"""ErrorManager: where services hand over their errors."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self, Unpack

from faultwire.capture.handled import ExtraFields, Extras
from faultwire.client import Client, Durability
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity


class ErrorManager(Client):
    """Takes exceptions, answers with what may be shown, and publishes an event for each.

    ``async with ErrorManager(service="billing", broker_url="amqp://…") as errors:`` connects in the
    background and flushes at the end; it may be entered again. Nothing here raises into the host once it is
    constructed. Without an event loop of the host's own, ``SyncErrorManager`` is the same.
    """

    async def handle_error(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        *,
        durability: Durability = "buffered",
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """Take an error and answer it; never raises, but for the cancellation of a wait for a confirm.

        What interrupts the call from outside (Ctrl-C, a signal's handler that raises) goes on its way.

        Args:
            error: the exception.
            severity: without one, what the kind of error says; any usual spelling is understood.
            context: what helps to understand it; anything is taken, cut to bounds.
            user_message: shown to the caller in place of what the category would say.
            durability: ``spooled`` waits until the event is on disk or confirmed, ``confirmed`` for the
                broker, both for ``confirm_timeout`` seconds at most; ``response.state`` then says how far
                the event has got.
            extra: ``tags``, ``user``, ``request``, ``transaction``, ``fingerprint``, ``handled`` and
                ``template``, as ``ExtraFields`` explains them.
        """
        response, ticket = self._parts.no_room[0], None
        try:
            at_once = durability == "spooled"
            extras = Extras(context=context, **extra)
            response, ticket = self._handle(error, severity, user_message, extras, at_once=at_once)
            outlet = self._parts.outlet
            if durability != "buffered" and outlet is not None:
                await outlet.settle(ticket, self._confirm_timeout, on_disk=at_once)
        except RecursionError:  # without room for another call, or for the wait alone
            self._parts.losses.stranded += ticket is None
        return response

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - running out is an answer here, not an error
        """Wait until nothing is in memory, at most ``timeout`` seconds; True if that was reached.

        What is on disk is waited for too, unless the broker is known to be away.
        """
        parts = self._parts
        parts.pipeline.hand_over()
        return parts.outlet is None or await parts.outlet.flush(timeout)

    async def aclose(self) -> None:
        """Flush and close, in ``shutdown_timeout`` seconds altogether; what is left goes to disk.

        Without a spool, what is left is counted as lost.
        """
        parts = self._parts
        parts.pipeline.stop()
        if parts.outlet is not None:
            await parts.outlet.aclose(self._shutdown_timeout)

    async def __aenter__(self) -> Self:
        self._begin_again()
        if self._parts.outlet is not None:
            self._parts.outlet.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
