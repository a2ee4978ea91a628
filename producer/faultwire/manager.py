"""ErrorManager: where services hand over their errors."""

import logging
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any, Final, Literal, Self

from faultwire.answer import respond
from faultwire.capture import SDK, Clock, Extras, Origin, capture
from faultwire.emitter import Emitter
from faultwire.log_line import log_handled
from faultwire.processors import Processor
from faultwire.publish import farewell
from faultwire.publish.account import Account, new_producer_id
from faultwire.publish.choice import spool_for, spool_path_for, transport_for
from faultwire.publish.loss import Losses
from faultwire.publish.outlet import Outlet
from faultwire.publish.ticket import Ticket
from faultwire.publish.transport import Transport
from faultwire.report import Identity
from faultwire.response import ErrorResponse
from faultwire.settings import read_settings
from faultwire.stats import Stats
from faultwire_shared.event import NAME_CHARACTERS, ErrorSeverity
from faultwire_shared.snapshot import clean_text

Durability = Literal["buffered", "spooled", "confirmed"]
"""What ``handle_error`` waits for: the event in memory, on disk (or confirmed), or the broker's confirm."""

CONFIRM_SECONDS: Final = 5.0
SHUTDOWN_SECONDS: Final = 2.0
SPOOL_BYTES: Final = 256 * 1024 * 1024

logger = logging.getLogger("faultwire")


def _now() -> datetime:
    return datetime.now(UTC)


class ErrorManager:
    """Takes exceptions, answers with what may be shown, and publishes an event for each.

    ``async with ErrorManager(service="billing", broker_url="amqp://…") as errors:`` connects in the
    background and flushes at the end. Nothing here raises into the host once it is constructed.

    Args:
        service: the name under which events are grouped.
        broker_url: ``amqp(s)://`` for RabbitMQ, ``http(s)://`` for a worker's intake; None publishes nothing.
        environment: ``production``, ``staging`` and the like.
        release: the service's version; a resolved incident that comes back in a newer one has regressed.
        host: this machine's name; the system's by default.
        processors: steps that may change or drop each event before it is published.
        spool_path: a directory for what the broker does not take at once; by default
            ``faultwire/spool/<service>`` in the user's state directory, none with an empty text.
        spool_bytes: what the spool may take of the disk.
        flush_on_sigterm: take the place of SIGTERM's default action, where nobody else has by then and only
            in the main thread: what is in memory goes to the spool, in two seconds at most, and the process
            still dies by SIGTERM. A handler that you set, before or after, wins.
        confirm_timeout: seconds that ``durability="confirmed"`` waits.
        shutdown_timeout: seconds that closing may take altogether.
        clock: the time in UTC.
        transport: makes a transport of your own in place of the URL's.

    Raises:
        ValueError: the service has no name, or the URL cannot be used; the text holds no password.
    """

    def __init__(
        self,
        *,
        service: str,
        broker_url: str | None = None,
        environment: str = "production",
        release: str | None = None,
        host: str | None = None,
        processors: Iterable[Processor] = (),
        spool_path: str | os.PathLike[str] | None = None,
        spool_bytes: int = SPOOL_BYTES,
        flush_on_sigterm: bool = True,
        confirm_timeout: float = CONFIRM_SECONDS,
        shutdown_timeout: float = SHUTDOWN_SECONDS,
        clock: Clock = _now,
        transport: Callable[[], Transport] | None = None,
    ) -> None:
        if not service:
            raise ValueError("service must be a name, as events are grouped by it")
        self._origin = Origin(
            service=clean_text(service, NAME_CHARACTERS),
            environment=clean_text(environment, NAME_CHARACTERS) or "production",
            release=clean_text(release, NAME_CHARACTERS) if release else None,
            host=clean_text(host or os.uname().nodename, NAME_CHARACTERS),
        )
        self._confirm_timeout = confirm_timeout
        self._shutdown_timeout = shutdown_timeout
        self._clock = clock
        self._handled = count(1)
        self._handled_now = 0
        losses = Losses()
        directory = spool_path_for(spool_path, broker_url, self._origin.service)
        account = Account(self._identity(), losses, path=directory)
        make_transport = transport or transport_for(broker_url, self._origin.service)
        make_spool = spool_for(directory, self._origin.service, spool_bytes)
        self._outlet = (
            Outlet(make_transport, losses, make_spool=make_spool, account=account) if make_transport else None
        )
        self._emitter = Emitter(processors, account, losses, self._outlet)
        _managers.add(self)
        if flush_on_sigterm and make_transport and make_spool:
            farewell.flush_on_sigterm()
        if self._outlet is None:
            logger.debug("no broker_url: errors are answered and logged, not published")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """A manager as ``FAULTWIRE_*`` describe it; ``options`` are the constructor's and win."""
        settings = read_settings(environ)
        given = {
            "service": settings.service,
            "broker_url": settings.broker_url,
            "environment": settings.environment,
            "release": settings.release,
            "spool_path": settings.spool_path,
        }
        return cls(**(given | options))

    async def handle_error(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        *,
        durability: Durability = "buffered",
        tags: Mapping[str, object] | None = None,
        user: Mapping[str, object] | str | int | None = None,
        request: Mapping[str, object] | None = None,
        transaction: str | None = None,
        fingerprint: Iterable[str] | None = None,
        handled: bool = True,
    ) -> ErrorResponse:
        """Take an error and answer it; never raises, but for the cancellation of a wait for a confirm.

        Args:
            error: the exception.
            severity: without one, what the kind of error says; any usual spelling is understood.
            context: what helps to understand it; anything is taken, cut to bounds.
            user_message: shown to the caller in place of what the category would say.
            durability: ``spooled`` waits until the event is on disk or confirmed, ``confirmed`` for the
                broker, both for ``confirm_timeout`` seconds at most; ``response.state`` then says how far
                the event has got.
            tags: names and short values to filter by.
            user: who met the error, as a mapping or just an id.
            request: what was asked for, as a mapping.
            transaction: the route or job, without its arguments: ``/orders/{id}/pay``.
            fingerprint: groups by these parts; ``{{ default }}`` stands for the usual ones.
            handled: False for what would have ended the process or request.
        """
        extras = Extras(
            context=context,
            tags=tags,
            user=user,
            request=request,
            transaction=transaction,
            fingerprint=fingerprint,
            handled=handled,
        )
        at_once = durability == "spooled"
        response, ticket = self._handle(error, severity, user_message, extras, at_once=at_once)
        if durability != "buffered" and self._outlet is not None:
            await self._outlet.settle(ticket, self._confirm_timeout, on_disk=at_once)
        return response

    def handle_error_nowait(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        *,
        tags: Mapping[str, object] | None = None,
        user: Mapping[str, object] | str | int | None = None,
        request: Mapping[str, object] | None = None,
        transaction: str | None = None,
        fingerprint: Iterable[str] | None = None,
        handled: bool = True,
    ) -> ErrorResponse:
        """``handle_error`` for code that cannot await; takes calls from any thread."""
        extras = Extras(
            context=context,
            tags=tags,
            user=user,
            request=request,
            transaction=transaction,
            fingerprint=fingerprint,
            handled=handled,
        )
        return self._handle(error, severity, user_message, extras)[0]

    def _handle(
        self,
        error: object,
        severity: object,
        user_message: object,
        extras: Extras,
        *,
        at_once: bool = False,
    ) -> tuple[ErrorResponse, Ticket]:
        self._handled_now = next(self._handled)
        event, meaning = capture(
            error, now=self._clock(), origin=self._origin, severity=severity, extras=extras
        )
        ticket = self._emitter.emit(event, at_once=at_once)
        response = respond(error, event, meaning=meaning, user_message=user_message, ticket=ticket)
        log_handled(event, error)
        return response, ticket

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - running out is an answer here, not an error
        """Wait until nothing is in memory, at most ``timeout`` seconds; whether it came to that.

        What is on disk is waited for too, unless the broker is known to be away.
        """
        return self._outlet is None or await self._outlet.flush(timeout)

    async def aclose(self) -> None:
        """Flush and close, in ``shutdown_timeout`` seconds altogether; what is left goes to disk.

        Without a spool, what is left is counted as lost.
        """
        if self._outlet is not None:
            await self._outlet.aclose(self._shutdown_timeout)

    async def __aenter__(self) -> Self:
        if self._outlet is not None:
            self._outlet.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def stats(self) -> Stats:
        """What has been done so far."""
        return self._emitter.stats(self._handled_now)

    def _identity(self) -> Identity:
        return Identity(
            producer_id=new_producer_id(),
            service=self._origin.service,
            host=self._origin.host or "",
            started_at=self._clock(),
            sdk=SDK,
        )

    def _start_anew(self) -> None:
        """In a forked child: a producer of its own, with numbers of its own."""
        self._handled = count(1)
        self._handled_now = 0
        self._emitter.forget()


_managers: "weakref.WeakSet[ErrorManager]" = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for manager in list(_managers):
        manager._start_anew()  # noqa: SLF001 - the fork is ours to survive, nobody else's to call


os.register_at_fork(after_in_child=_start_anew_in_child)
