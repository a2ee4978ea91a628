"""The common base of the managers: they take errors and answer them, and never wait."""

import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, Unpack

from faultwire.assembly import Assembled, Plan, delivery_of, origin_of, scrubber_of
from faultwire.capture.code_owner import CodeOwner, maker_of
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import ExtraFields, Extras, judge
from faultwire.capture.scope import BREADCRUMBS, Binder
from faultwire.guard import Guard
from faultwire.options import Locals, check_locals, read_settings
from faultwire.pipeline.filter import Filter
from faultwire.pipeline.processors import Processor
from faultwire.pipeline.stats import Stats
from faultwire.process.exit import flush_on_sigterm
from faultwire.process.handover import HANDOVER
from faultwire.publish.transport import Transport
from faultwire.queue.ticket import Ticket
from faultwire.response.answer import refuse, respond
from faultwire.response.response import ErrorResponse
from faultwire_shared.clock import Clock, read_clock, utc_now
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.tls.files import tls_files

Durability = Literal["buffered", "spooled", "confirmed"]
"""End of ``handle_error``'s wait: the event in memory, on disk (or confirmed), or a broker's confirm."""

CONFIRM_SECONDS: Final = 5.0
SHUTDOWN_SECONDS: Final = 2.0
SPOOL_BYTES: Final = 256 * 1024 * 1024

if TYPE_CHECKING:
    # It brings asyncio along.
    from faultwire.publish.publisher_thread import PublisherThread

logger: logging.Logger = logging.getLogger("faultwire")


class Client(Binder):
    """Takes exceptions, answers with what may be shown, and has an event published for each."""

    _make_thread: ClassVar["type[PublisherThread] | None"] = None
    """For a manager whose host has no event loop; without one it publishes in the host's."""

    def __init__(
        self,
        *,
        service: str,
        broker_url: str | None = None,
        token: str | os.PathLike[str] | None = None,
        broker_ca_file: str | os.PathLike[str] | None = None,
        broker_certificate_file: str | os.PathLike[str] | None = None,
        broker_key_file: str | os.PathLike[str] | None = None,
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
        include_locals: Locals = "none",
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
            token: what a worker's intake wants to see where people sign in, as ``faultwire access token
                create`` prints it; or, as a path, the file that holds it, which may change. Only a worker is
                shown it: a broker's user stands in the URL.
            broker_ca_file: the only authorities that may vouch for ``amqps://`` or ``https://``, as PEM; by
                default those that this machine trusts. It and the next two are read for each connection.
            broker_certificate_file: this service's own certificate, where the other side asks for one.
            broker_key_file: its key, where that is not in the same file.
            environment: ``production``, ``staging`` and the like.
            release: the service's version; a resolved incident that comes back in a newer one has regressed.
            host: this machine's name; the system's by default.
            processors: steps that may change or drop each event before it is published.
            before_send: one more step, the last.
            ignore_errors: classes, or names of classes, whose exceptions are answered and make no event.
            sample_rate: the share of errors that makes events, 0 to 1; what is left out is counted as such.
            collapse_storms: a burst of the same error becomes a few events that carry an exact count.
            max_breadcrumbs: the number of latest breadcrumbs that travel with an event.
            in_app_include: modules that count as the service's own, whatever tells them apart says.
            in_app_exclude: modules that do not.
            include_locals: ``own`` takes the local variables of the service's own calls along, bounded and
                scrubbed: of 8 calls of an exception at most, the nearest to its crash. They may say of people
                and of your business what nobody meant to send.
            spool_path: a directory for what the broker does not take at once; by default
                ``faultwire/spool/<service>`` in the user's state directory, none with an empty text.
            spool_bytes: what the spool may take of the disk.
            flush_on_sigterm: take the place of SIGTERM's default action, where nobody else has by then and
                only in the main thread: what is in memory goes to the spool, in two seconds at most, and the
                process still dies by SIGTERM. A handler that you set, before or after, wins.
            confirm_timeout: seconds that ``durability="confirmed"`` waits.
            shutdown_timeout: seconds that closing may take altogether.
            scrub: take secrets out of events, after the processors, and out of the log line.
            scrub_deny: names of fields, headers and arguments that hold secrets here, besides the usual ones.
            scrub_allow: names that hold none, even if the usual lists name them.
            send_default_pii: let people's addresses on the network pass.
            clock: the time in UTC.
            transport: makes a transport of your own in place of the URL's.

        Raises:
            ValueError: the service has no name, the URL, the files of TLS or the token cannot be used (the
                text holds neither password nor token), the sample rate is not between 0 and 1, or
                ``include_locals`` is no choice.
            TypeError: ``ignore_errors`` holds something that is neither a class of exceptions nor a name.
        """
        super().__init__(clock, max_breadcrumbs)
        self._confirm_timeout = confirm_timeout
        self._shutdown_timeout = shutdown_timeout
        self.send_default_pii = send_default_pii
        origin = origin_of(service, environment, release, host)
        scrubber = scrubber_of(scrub_deny, scrub_allow, send_default_pii=send_default_pii)
        plan = Plan(
            origin=origin,
            started_at=read_clock(clock),
            error_filter=Filter(ignore_errors, sample_rate),
            frames=FrameReader(
                in_app_include,
                in_app_exclude,
                CodeOwner(maker_of(sys._getframe(1))),  # noqa: SLF001 - inspect's is the same, or None
                with_variables=check_locals(include_locals) == "own",
            ),
            processors=(*processors, before_send) if before_send else tuple(processors),
            scrubber=scrubber if scrub else None,
            collapse_storms=collapse_storms,
            delivery=delivery_of(
                broker_url,
                origin.service,
                token=token,
                tls=tls_files(broker_ca_file, broker_certificate_file, broker_key_file),
                transport=transport,
                spool_path=spool_path,
                spool_bytes=spool_bytes,
            ),
            make_thread=self._make_thread,
        )
        self._minds_sigterm = flush_on_sigterm and plan.delivery is not None and plan.delivery.has_spool
        self._assembled = [Assembled(plan)]
        self._parts = self._assembled[0].parts
        self._register()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """A manager as ``FAULTWIRE_*`` describe it; ``options`` are the constructor's and win."""
        settings = read_settings(environ)
        given = {
            "service": settings.service,
            "broker_url": settings.broker_url,
            "broker_ca_file": settings.broker_ca_file,
            "broker_certificate_file": settings.broker_certificate_file,
            "broker_key_file": settings.broker_key_file,
            "token": settings.token,
            "environment": settings.environment,
            "release": settings.release,
            "spool_path": settings.spool_path,
            "include_locals": settings.include_locals,
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
        try:
            return self._handle(error, severity, user_message, Extras(context=context, **extra))[0]
        except RecursionError:  # without room for another call
            self._parts.losses.stranded += 1
            return self._parts.no_room[0]

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
        then, and makes no second event. Not so where it made none, as a processor dropped it or no room was
        left; and where another request has met the same exception object, that is another error.
        """
        try:
            known = self._parts.recent.find(error)
            return known or self._handle(error, severity, user_message, Extras(context=context, **extra))[0]
        except RecursionError:  # as above
            self._parts.losses.stranded += 1
            return self._parts.no_room[0]

    def has_given(self, error_id: object) -> bool:
        """True if this manager has just given this id to an error."""
        return self._parts.recent.has(error_id)

    def capture_message(
        self,
        message: str,
        severity: ErrorSeverity | str | int = ErrorSeverity.LOW,
        context: Mapping[str, object] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """Make an event of a text, where there is no exception; never raises."""
        try:
            return self._handle(message, severity, None, Extras(context=context, **extra))[0]
        except RecursionError:  # as above
            self._parts.losses.stranded += 1
            return self._parts.no_room[0]

    def _handle(
        self, error: object, severity: object, user_message: object, extras: Extras, *, at_once: bool = False
    ) -> tuple[ErrorResponse, Ticket]:
        """Never raises, but for what interrupts it: Ctrl-C, a signal's handler that raises."""
        parts = self._parts
        ticket = None
        HANDOVER.depth += 1
        try:
            handled = judge(error, at=read_clock(self._clock), severity=severity, extras=extras)
            ticket, text, failure = parts.pipeline.admit(handled, at_once=at_once)
            if failure is not None:
                pass_interruption(failure)
            response = respond(handled, ticket, user_message=user_message, text=text)
            parts.recent.remember(error, response)
            return response, ticket
        except RecursionError:  # without room for another call, be it one of the interpreter's
            parts.losses.stranded += ticket is None
            return parts.no_room
        except BaseException as failure:  # noqa: BLE001 - whatever a host hands over, it has an answer
            parts.losses.stranded += ticket is None
            pass_interruption(failure)
            return parts.no_room if ticket is None else (refuse(ticket, read_clock(self._clock)), ticket)
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
        """Figures of what has been done so far."""
        return self._parts.pipeline.stats()

    def flush_on_sigterm(self) -> None:
        """As the option says, take the place of SIGTERM's default action: again where a host has reset it."""
        if self._minds_sigterm:
            flush_on_sigterm()

    @contextmanager
    def diverted(self, divert: Callable[[Plan], Plan]) -> Iterator[None]:
        """Work by another plan for a while: for ``faultwire.testing``."""
        assembled = Assembled(divert(self._assembled[-1].plan))
        self._assembled.append(assembled)
        self._parts = assembled.parts
        try:
            yield
        finally:
            self._assembled.remove(assembled)
            self._parts = self._assembled[-1].parts
            assembled.parts.stop()

    def _begin_again(self) -> None:
        """Be a producer of its own again where this one was closed, with numbers and figures of its own."""
        self._assembled[-1].begin_again()
        self._parts = self._assembled[-1].parts

    def _register(self) -> None:
        _managers.add(self)
        self.flush_on_sigterm()
        for divert in _diversions:
            divert(self)
        if self._parts.outlet is None:
            logger.debug("no broker_url: errors are answered and logged, not published")

    def _begin_in_child(self) -> None:
        """In a forked child: a producer of its own, with numbers of its own."""
        for assembled in self._assembled:
            assembled.renew()
        self._parts = self._assembled[-1].parts


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


def _begin_in_child() -> None:
    for manager in list(_managers):
        manager._begin_in_child()  # noqa: SLF001 - the fork is ours to survive, nobody else's to call


os.register_at_fork(after_in_child=_begin_in_child)
