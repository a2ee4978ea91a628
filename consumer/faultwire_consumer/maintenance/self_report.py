"""The worker's own errors, through the client and the path that all events take, into its own store.

There is no loop: an error while such an event is stored is logged and dropped, or tried again by the
client's publisher, and is never handed to it as another error. A burst is one event at once and one
with the count of the rest.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec
from msgspec import Struct

from faultwire import Category, ErrorManager, ErrorResponse, ErrorSeverity, register_exception
from faultwire.publish.transport import Busy, Outgoing, Refused
from faultwire_consumer.maintenance.gaps import SERVICE
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_shared import __version__, codec
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Event
from faultwire_shared.event_id import new_event_id
from faultwire_shared.taxonomy import DatabaseConnectionError, classify

BURST_SECONDS: Final = 60.0
"""Time for which errors of one kind are counted after the first; then one event reports their number."""
POLL_SECONDS: Final = 1.0
KINDS: Final = 100
"""Kinds of error within a burst's time; all others count as one kind."""
FATAL_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 1.0
"""Time for the counts of open bursts, and again for what is still in memory."""

register_exception(StoreUnavailableError, Category.EXTERNAL, code=DatabaseConnectionError.code)

logger = logging.getLogger(__name__)


class Ingest(Protocol):
    """The path that all events take."""

    async def __call__(self, body: bytes, message_type: str = EVENT_TYPE) -> bool:
        """Put a message's body through; return True if it is kept now."""
        ...


class OwnTransport:
    """Transport of the client that runs inside the worker."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    async def open(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def publish(self, message: Outgoing) -> None:
        """Store the message, on the path that all events take.

        Raises:
            Busy: the store does not answer; the publisher tries again.
            Refused: the path itself fails on it. Trying again would fail for ever, and reporting that
                as an error would be a loop.
        """
        try:
            kept = await self._ingest(message.body, message.message_type)
        except Exception as error:  # noqa: BLE001 - a failure here must not become an error to report
            _log_failed(error)
            raise Refused(type(error).__name__) from None
        if not kept:
            raise Busy("the store does not answer")

    async def watch(self) -> None:
        """Wait for ever: there is no connection to break."""
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class _Burst(Struct):
    """Errors of one kind: the first was published, the others are counted."""

    response: ErrorResponse
    event: Event | None
    opened: float
    more: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


class SelfReport:
    """Takes the worker's own errors; ``async with`` runs it.

    Args:
        ingest: the normal path of events.
        clock: the time in UTC.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        ingest: Ingest,
        *,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ingest = ingest
        self._clock = clock
        self._monotonic = monotonic
        self._bursts: dict[tuple[str, ...], _Burst] = {}
        self._last: Event | None = None
        self._errors = ErrorManager(
            collapse_storms=False,  # it counts its bursts itself, by kind, and over a minute
            service=SERVICE,
            release=__version__,
            clock=clock,
            processors=[self._remember],
            transport=lambda: OwnTransport(ingest),
            shutdown_timeout=CLOSE_SECONDS,
        )

    @property
    def handled(self) -> int:
        """Number of events published, without the counts of bursts."""
        return self._errors.stats().handled

    def report(
        self,
        error: BaseException,
        *,
        part: str,
        severity: ErrorSeverity | None = None,
        user_message: str | None = None,
        request: Mapping[str, object] | None = None,
        handled: bool = True,
        fingerprint: Sequence[str] | None = None,
    ) -> ErrorResponse:
        """Publish the error, or count it if one of its kind was just published.

        Args:
            error: what was raised.
            part: the part of the worker that failed: a route, or a task's name.
            severity: by default that of the kind of error.
            user_message: text for the caller of a request.
            request: the request that failed.
            handled: False for what ends the worker.
            fingerprint: what makes one incident of such errors, where type and text do not.
        """
        kind: tuple[str, ...] = (
            part,
            type(error).__module__,
            type(error).__qualname__,
            str(getattr(error, "code", "")),
        )
        if kind not in self._bursts and len(self._bursts) >= KINDS:
            kind = ("more kinds than are kept apart",)
        burst = self._bursts.get(kind)
        if burst is not None:
            burst.more += 1
            burst.last_at = self._clock()
            burst.first_at = burst.first_at or burst.last_at
            return burst.response
        self._last = None
        response = self._errors.handle_error_nowait(
            error,
            severity,
            user_message=user_message,
            request=request,
            transaction=part,
            handled=handled,
            fingerprint=fingerprint,
        )
        self._bursts[kind] = _Burst(response, self._last, self._monotonic())
        return response

    async def report_fatal(self, error: BaseException, *, part: str) -> None:
        """Publish an error that ends the worker, and wait at most two seconds until it is stored."""
        response = self.report(error, part=part, severity=ErrorSeverity.CRITICAL, handled=False)
        await response.delivered(FATAL_SECONDS)

    async def run(self) -> None:
        """Publish the counts of bursts that are over, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.close_bursts(older_than=BURST_SECONDS)

    async def close_bursts(self, *, older_than: float = 0.0) -> None:
        """Publish how many errors followed the first of each kind; a count that cannot be stored waits."""
        now = self._monotonic()
        for kind, burst in list(self._bursts.items()):
            if now - burst.opened >= older_than and await self._publish_count(burst):
                del self._bursts[kind]

    async def _publish_count(self, burst: _Burst) -> bool:
        if not burst.more or burst.event is None:
            return True
        counted, last_at = burst.more, burst.last_at or self._clock()
        event = msgspec.structs.replace(
            burst.event,
            id=new_event_id(last_at),
            occurred_at=last_at,
            count=counted,
            first_at=burst.first_at,
            last_at=last_at,
            sequence=None,
        )
        try:
            is_kept = await self._ingest(codec.encode(event))
        except Exception as error:  # noqa: BLE001 - as in the transport: only logged
            _log_failed(error)
            is_kept = True  # it would fail for ever
        burst.more -= counted if is_kept else 0  # more may have come in the meantime
        return is_kept and not burst.more

    def _remember(self, event: Event) -> Event:
        self._last = event
        return event

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Report a task that raised and that nothing awaits; asyncio only logs it."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        # Drivers drop futures and tasks of a broken connection; the code that waits for it reports that.
        if not isinstance(error, Exception) or not isinstance(context.get("future"), asyncio.Task):
            return
        if classify(error).category is Category.SYSTEM:
            self.report(error, part="event loop", handled=False)

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        await self._errors.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().set_exception_handler(None)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close_bursts()
        except TimeoutError:
            logger.warning("self_report.cut_short")
        await self._errors.aclose()


def _log_failed(error: Exception) -> None:
    logger.error("self_report.failed", exc_info=error, extra={"event": "self_report.failed"})
