"""ErrorManager: where services hand over their errors."""

import logging
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any, Final, Literal, Self

from msgspec.structs import force_setattr, replace

from faultwire import processors as chain
from faultwire.answer import response_for
from faultwire.capture import (
    Clock,
    Extras,
    Origin,
    Unencodable,
    encode_bounded,
    event_from,
    least_event,
    meaning_of,
)
from faultwire.log_line import log_handled
from faultwire.processors import Processor
from faultwire.publish import farewell
from faultwire.publish.choice import spool_for, transport_for
from faultwire.publish.loss import Losses, LossReason
from faultwire.publish.outlet import Outlet
from faultwire.publish.ticket import Ticket, refused
from faultwire.publish.transport import Transport
from faultwire.response import ErrorResponse
from faultwire.settings import read_settings
from faultwire.snapshot import clean_text
from faultwire.stats import Stats
from faultwire_shared.event import NAME_CHARACTERS, Category, ErrorSeverity, Event
from faultwire_shared.event_id import new_event_id
from faultwire_shared.taxonomy import DEFAULTS, Classification
from faultwire_shared.topology import routing_key

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
            producer_id=os.urandom(8).hex(),
        )
        self._processors = tuple(processors)
        self._confirm_timeout = confirm_timeout
        self._shutdown_timeout = shutdown_timeout
        self._clock = clock
        self._losses = Losses()
        self._sequence = count(1)
        self._handled = count(1)
        self._handled_now = 0
        self._processor_failures = 0
        self._keys: dict[tuple[ErrorSeverity, Category], str] = {}
        make_transport = transport or transport_for(broker_url, self._origin.service)
        make_spool = spool_for(spool_path, broker_url, self._origin.service, spool_bytes)
        self._outlet = Outlet(make_transport, self._losses, make_spool=make_spool) if make_transport else None
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
        event, meaning = self._capture(error, severity, extras)
        ticket = self._publish(event, at_once=at_once)
        response = self._respond(error, meaning, event, user_message, ticket)
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
        figures = self._outlet.buffer.figures() if self._outlet is not None else None
        lost = figures.lost if figures else self._losses.by_reason()
        return Stats(
            handled=self._handled_now,
            confirmed=figures.confirmed if figures else 0,
            spooled=figures.spooled if figures else 0,
            adopted=figures.adopted if figures else 0,
            refused=lost.get(LossReason.REFUSED.value, 0),
            lost=lost,
            buffered=figures.held if figures else 0,
            processor_failures=self._processor_failures,
        )

    def _capture(self, error: object, severity: object, extras: Extras) -> tuple[Event, Classification]:
        self._handled_now = next(self._handled)
        now = self._clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        event_id = new_event_id(now)
        try:
            meaning = meaning_of(error)
            event = event_from(
                error,
                event_id=event_id,
                now=now,
                origin=self._origin,
                meaning=meaning,
                severity=severity,
                extras=extras,
            )
            return event, meaning
        except Exception:  # noqa: BLE001 - whatever a hostile error does, the host gets its answer
            least = least_event(error, event_id=event_id, now=now, origin=self._origin, severity=severity)
            return least, DEFAULTS[Category.SYSTEM]

    def _respond(
        self, error: object, meaning: Classification, event: Event, user_message: object, ticket: Ticket
    ) -> ErrorResponse:
        try:
            return response_for(error, event, meaning=meaning, user_message=user_message, ticket=ticket)
        except Exception:  # noqa: BLE001 - details may be hostile, and the generic answer needs none
            return response_for(None, event, meaning=meaning, user_message=None, ticket=ticket)

    def _publish(self, event: Event, *, at_once: bool) -> Ticket:
        if self._outlet is None:
            return Ticket(event_id=event.id, state=refused("disabled"))
        kept, failures = chain.run(self._processors, event)
        self._processor_failures += failures
        if kept is None:
            return self._lose(event, LossReason.PROCESSOR)
        force_setattr(kept, "id", event.id)
        force_setattr(kept, "sequence", next(self._sequence))
        try:
            body, kept = encode_bounded(kept)
        except Unencodable:
            return self._lose(event, LossReason.UNENCODABLE)
        ticket = Ticket(
            event_id=event.id,
            body=body,
            lane=kept.severity.lane,
            rank=kept.severity.rank,
            routing_key=self._key(kept),
        )
        self._outlet.put(ticket, at_once=at_once)
        return ticket

    def _start_anew(self) -> None:
        """In a forked child: a producer of its own, with numbers of its own."""
        self._origin = replace(self._origin, producer_id=os.urandom(8).hex())
        self._sequence, self._handled = count(1), count(1)
        self._handled_now = self._processor_failures = 0
        self._losses.forget()
        if self._outlet is not None:
            self._outlet.forget()

    def _lose(self, event: Event, reason: LossReason) -> Ticket:
        self._losses.count(reason)
        return Ticket(event_id=event.id, state=refused(reason.value))

    def _key(self, event: Event) -> str:
        pair = event.severity, event.category
        key = self._keys.get(pair)
        if key is None:
            key = self._keys[pair] = routing_key(event.severity, event.category, event.service)
        return key


_managers: "weakref.WeakSet[ErrorManager]" = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for manager in list(_managers):
        manager._start_anew()  # noqa: SLF001 - the fork is ours to survive, nobody else's to call


os.register_at_fork(after_in_child=_start_anew_in_child)
