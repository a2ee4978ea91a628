"""What the managers share: they take errors and answer them, and never wait."""

import logging
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, Literal, Self, Unpack

from faultwire.audit.account import Account, new_producer_id
from faultwire.audit.loss import Losses
from faultwire.audit.report import Identity
from faultwire.capture.event import SDK, Origin
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import ExtraFields, Extras, judge
from faultwire.capture.scope import BREADCRUMBS, Binder
from faultwire.guard import Guard
from faultwire.options import read_settings
from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.filter import Filter
from faultwire.pipeline.pipeline import ErrorPipeline
from faultwire.pipeline.processors import Processor
from faultwire.pipeline.stats import Stats
from faultwire.process.exit import flush_on_sigterm
from faultwire.process.handover import HANDOVER
from faultwire.publish.choice import spool_for, spool_path_for, transport_for
from faultwire.publish.outlet import Outlet
from faultwire.publish.transport import Transport
from faultwire.queue.ticket import Ticket
from faultwire.response.answer import respond
from faultwire.response.recent import RecentResponses
from faultwire.response.response import ErrorResponse
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.event import NAME_CHARACTERS, ErrorSeverity
from faultwire_shared.snapshot import clean_text

Durability = Literal["buffered", "spooled", "confirmed"]
"""What ``handle_error`` waits for: the event in memory, on disk (or confirmed), or the broker's confirm."""

CONFIRM_SECONDS: Final = 5.0
SHUTDOWN_SECONDS: Final = 2.0
SPOOL_BYTES: Final = 256 * 1024 * 1024

logger = logging.getLogger("faultwire")


class Client(Binder):
    """Takes exceptions, answers with what may be shown, and has an event published for each."""

    def __init__(
        self,
        *,
        service: str,
        broker_url: str | None = None,
        environment: str = "production",
        release: str | None = None,
        host: str | None = None,
        processors: Iterable[Processor] = (),
        before_send: Processor | None = None,
        ignore_errors: Iterable[type[BaseException] | str] = (),
        sample_rate: float = 1.0,
        collapse_storms: bool = True,
        max_breadcrumbs: int = BREADCRUMBS,
        in_app_include: Iterable[str] = (),
        in_app_exclude: Iterable[str] = (),
        spool_path: str | os.PathLike[str] | None = None,
        spool_bytes: int = SPOOL_BYTES,
        flush_on_sigterm: bool = True,
        confirm_timeout: float = CONFIRM_SECONDS,
        shutdown_timeout: float = SHUTDOWN_SECONDS,
        scrub: bool = True,
        scrub_deny: Iterable[str] = (),
        scrub_allow: Iterable[str] = (),
        send_default_pii: bool = False,
        clock: Clock = utc_now,
        transport: Callable[[], Transport] | None = None,
    ) -> None:
        """Make the manager; nothing here raises into the host once that is done.

        Args:
            service: the name under which events are grouped.
            broker_url: ``amqp(s)://`` for RabbitMQ, a cluster's addresses with commas between;
                ``http(s)://`` for a worker's intake; None publishes nothing.
            environment: ``production``, ``staging`` and the like.
            release: the service's version; a resolved incident that comes back in a newer one has regressed.
            host: this machine's name; the system's by default.
            processors: steps that may change or drop each event before it is published.
            before_send: one more step, the last.
            ignore_errors: classes, or names of classes, whose exceptions are answered and make no event.
            sample_rate: the share of errors that makes events, 0 to 1; what is left out is counted as such.
            collapse_storms: a burst of the same error becomes a few events that carry an exact count.
            max_breadcrumbs: so many of the last ones travel with an event.
            in_app_include: modules that count as the service's own, wherever they are installed.
            in_app_exclude: modules that do not.
            spool_path: a directory for what the broker does not take at once; by default
                ``faultwire/spool/<service>`` in the user's state directory, none with an empty text.
            spool_bytes: what the spool may take of the disk.
            flush_on_sigterm: take the place of SIGTERM's default action, where nobody else has by then and
                only in the main thread: what is in memory goes to the spool, in two seconds at most, and the
                process still dies by SIGTERM. A handler that you set, before or after, wins.
            confirm_timeout: seconds that ``durability="confirmed"`` waits.
            shutdown_timeout: seconds that closing may take altogether.
            scrub: take secrets out of events, after the processors, and out of the log line.
            scrub_deny: names of fields, headers and arguments that hold secrets here, beside the usual ones.
            scrub_allow: names that hold none, whatever the usual lists say.
            send_default_pii: let people's addresses on the network pass.
            clock: the time in UTC.
            transport: makes a transport of your own in place of the URL's.

        Raises:
            ValueError: the service has no name, the URL cannot be used (the text holds no password), or the
                sample rate is no share.
            TypeError: ``ignore_errors`` holds what is no class of exceptions.
        """
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
        super().__init__(clock, max_breadcrumbs)
        gate = Filter(ignore_errors, sample_rate)
        frames = FrameReader(in_app_include, in_app_exclude)
        self._recent = RecentResponses()
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
        steps = (*processors, before_send) if before_send else tuple(processors)
        from faultwire_shared.scrub import Scrubber  # noqa: PLC0415 - its patterns take 20 ms to compile

        scrubber = Scrubber(deny=scrub_deny, allow=scrub_allow, send_default_pii=send_default_pii)
        self.send_default_pii = send_default_pii
        emitter = Emitter(steps, account, losses, self._outlet, scrubber=scrubber if scrub else None)
        collapse = collapse_storms and self._outlet is not None
        self._entrance = ErrorPipeline(self._origin, gate, frames, emitter, collapse=collapse)
        _managers.add(self)
        self._minds_sigterm = bool(flush_on_sigterm and make_transport and make_spool)
        self.flush_on_sigterm()
        self._attend()
        for divert in _diversions:
            divert(self)
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

    def handle_error_nowait(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """``handle_error`` for code that cannot await; takes calls from any thread."""
        return self._handle(error, severity, user_message, Extras(context=context, **extra))[0]

    def handle_once(
        self,
        error: object,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """``handle_error_nowait`` for the outer layers, which an error may reach that an inner one handled.

        The very exception that was handed over within the last ten seconds gets the response that it got
        then, and makes no second event.
        """
        known = self._recent.find(error)
        return known or self._handle(error, severity, user_message, Extras(context=context, **extra))[0]

    def capture_message(
        self,
        message: str,
        severity: ErrorSeverity | str | int = ErrorSeverity.LOW,
        context: Mapping[str, object] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """Make an event of a text, where there is no exception; never raises."""
        return self._handle(message, severity, None, Extras(context=context, **extra))[0]

    def _handle(
        self, error: object, severity: object, user_message: object, extras: Extras, *, at_once: bool = False
    ) -> tuple[ErrorResponse, Ticket]:
        self._handled_now = next(self._handled)
        HANDOVER.depth += 1
        try:
            handled = judge(error, at=self._clock(), severity=severity, extras=extras)
            ticket, text = self._entrance.admit(handled, at_once=at_once)
            response = respond(handled, ticket, user_message=user_message, text=text)
            self._recent.remember(error, response)
            return response, ticket
        finally:
            HANDOVER.depth -= 1

    def guard(
        self,
        severity: ErrorSeverity | str | int | None = None,
        context: Mapping[str, object] | None = None,
        *,
        reraise: bool = True,
        **extra: Unpack[ExtraFields],
    ) -> Guard:
        """Handle what is raised inside: ``with errors.guard():``, ``async with``, or as a decorator.

        Args:
            severity: as of ``handle_error``.
            context: as of ``handle_error``.
            reraise: False swallows the exception once it is handed over.
            extra: as of ``handle_error``.
        """
        return Guard(self, severity, context, reraise=reraise, extra=extra)

    def stats(self) -> Stats:
        """What has been done so far."""
        return self._entrance.stats(self._handled_now)

    def flush_on_sigterm(self) -> None:
        """As the option says, take the place of SIGTERM's default action: again where a host has reset it."""
        if self._minds_sigterm:
            flush_on_sigterm()

    @contextmanager
    def diverted(self, make_outlet: Callable[[Losses], Outlet]) -> Iterator[None]:
        """Have events go elsewhere for a while, each whole and none left out: for ``faultwire.testing``."""
        losses = Losses()
        outlet = make_outlet(losses)
        before = self._outlet, self._entrance
        self._entrance = self._entrance.diverted(Account(self._identity(), losses), losses, outlet)
        self._outlet = outlet
        try:
            yield
        finally:
            self._outlet, self._entrance = before

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
        self._recent.forget()
        self._entrance.forget()
        self._attend()

    def _attend(self) -> None:
        """Make ready in this process: at construction, and in a forked child."""


_managers: "weakref.WeakSet[Client]" = weakref.WeakSet()


_diversions: list[Callable[[Client], None]] = []


@contextmanager
def diverting(divert: Callable[[Client], None]) -> Iterator[None]:
    """Have this called for every manager that there is, and for each that is made meanwhile."""
    _diversions.append(divert)
    try:
        for manager in list(_managers):
            divert(manager)
        yield
    finally:
        _diversions.remove(divert)


def _start_anew_in_child() -> None:
    for manager in list(_managers):
        manager._start_anew()  # noqa: SLF001 - the fork is ours to survive, nobody else's to call


os.register_at_fork(after_in_child=_start_anew_in_child)
