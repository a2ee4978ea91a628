"""The one place that builds a client: what it holds in every process, and what it is made of in each.

A constructor makes a ``Plan`` and has its ``Parts`` made; a forked child leaves its parent's parts alone and
has its own made of the same plan.
"""

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from faultwire.audit.account import Account, new_producer_id
from faultwire.audit.loss import Losses
from faultwire.audit.report import Identity
from faultwire.capture.event import SDK, Origin
from faultwire.capture.frame import FrameReader
from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.filter import Filter
from faultwire.pipeline.pipeline import ErrorPipeline
from faultwire.pipeline.processors import Processor
from faultwire.publish.outlet import Outlet
from faultwire.publish.transport import Transport
from faultwire.publish.transport_choice import transport_for
from faultwire.queue.buffer import Buffer
from faultwire.queue.ticket import FAILED, Ticket
from faultwire.response.answer import refuse
from faultwire.response.recent import RecentResponses
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import NAME_CHARACTERS
from faultwire_shared.event_id import new_event_id
from faultwire_shared.snapshot import clean_text
from faultwire_shared.tls.files import NO_FILES, TlsFiles

if TYPE_CHECKING:
    # Patterns that take 20 ms to compile, SQLite, and asyncio: `import faultwire` does without.
    from faultwire.publish.publisher_thread import PublisherThread
    from faultwire.queue.spool import Spool
    from faultwire_shared.scrub import Scrubber

STOP_SECONDS: Final = 1.0

MakeOutlet = Callable[[Losses, Account], Outlet]


class Publishing(Struct, frozen=True):
    """The way out: what makes it, and the directory of the spool and of the ledgers, where there is one."""

    make_outlet: MakeOutlet
    directory: str | None = None

    @property
    def has_spool(self) -> bool:
        """True if what is not published goes to disk."""
        return self.directory is not None


class Plan(Struct, frozen=True, kw_only=True):
    """One manager as it is in every process."""

    origin: Origin
    started_at: datetime
    error_filter: Filter
    frames: FrameReader
    processors: tuple[Processor, ...]
    scrubber: "Scrubber | None"
    collapse_storms: bool
    delivery: Publishing | None
    """None answers errors, and publishes nothing."""
    make_thread: "Callable[[Outlet], PublisherThread] | None"
    """For a host without an event loop."""


class Parts(Struct, frozen=True, kw_only=True):
    """One manager as it is in one process."""

    account: Account
    outlet: Outlet | None
    thread: "PublisherThread | None"
    pipeline: ErrorPipeline
    recent: RecentResponses
    losses: Losses
    no_room: tuple[ErrorResponse, Ticket]
    """The answer where the stack is so full that none can be made."""

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's. Its spool sees to itself."""
        self.account.leak()
        if self.outlet is not None:
            self.outlet.leak()
        if self.thread is not None:
            self.thread.leak()

    def stop(self) -> None:
        """End what runs for a plan that is over; anything it still has goes nowhere."""
        if self.thread is not None:
            self.thread.stop(STOP_SECONDS)


def make_parts(plan: Plan) -> Parts:
    """Make what works by the plan in this process: a producer of its own, with numbers of its own."""
    losses, delivery, origin = Losses(), plan.delivery, plan.origin
    who = Identity(
        producer_id=new_producer_id(),
        service=origin.service,
        host=origin.host or "",
        started_at=plan.started_at,
        sdk=SDK,
    )
    account = Account(who, losses, path=delivery.directory if delivery else None)
    outlet = delivery.make_outlet(losses, account) if delivery else None
    emitter = Emitter(plan.processors, account, losses, outlet, scrubber=plan.scrubber)
    collapse = plan.collapse_storms and outlet is not None
    return Parts(
        account=account,
        outlet=outlet,
        thread=plan.make_thread(outlet) if plan.make_thread and outlet else None,
        pipeline=ErrorPipeline(
            origin, plan.error_filter, plan.frames, emitter, losses=losses, collapse=collapse
        ),
        recent=RecentResponses(),
        losses=losses,
        no_room=_no_room(plan.started_at),
    )


def _no_room(at: datetime) -> tuple[ErrorResponse, Ticket]:
    ticket = Ticket(event_id=new_event_id(at), state=FAILED)
    return refuse(ticket, at), ticket


class Assembled:
    """A plan, and what works by it in this process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parts: Parts = make_parts(plan)

    def begin_again(self) -> None:
        """Have other parts where these are closed, and take nothing any more."""
        if self.parts.outlet is not None and self.parts.outlet.is_closed:
            self.parts = make_parts(self.plan)

    def renew(self) -> None:
        """In a forked child: leave the parent's parts alone, and have others."""
        self.parts.leak()
        self.parts = make_parts(self.plan)


def origin_of(service: str, environment: str, release: str | None, host: str | None) -> Origin:
    """Read who emits.

    Raises:
        ValueError: the service has no name.
    """
    if not service:
        raise ValueError("service must be a name, as events are grouped by it")
    return Origin(
        service=clean_text(service, NAME_CHARACTERS),
        environment=clean_text(environment, NAME_CHARACTERS) or "production",
        release=clean_text(release, NAME_CHARACTERS) if release else None,
        host=clean_text(host or os.uname().nodename, NAME_CHARACTERS),
    )


def scrubber_of(deny: Iterable[str], allow: Iterable[str], *, send_default_pii: bool) -> "Scrubber":
    """Make what takes secrets out."""
    from faultwire_shared.scrub import Scrubber  # noqa: PLC0415 - see above

    return Scrubber(deny=deny, allow=allow, send_default_pii=send_default_pii)


def delivery_of(
    broker_url: str | None,
    service: str,
    *,
    token: str | os.PathLike[str] | None = None,
    tls: TlsFiles = NO_FILES,
    transport: Callable[[], Transport] | None,
    spool_path: str | os.PathLike[str] | None,
    spool_bytes: int,
) -> Publishing | None:
    """Choose the transport and the spool; None where nothing is to be published.

    Raises:
        ValueError: the URL, the files of TLS or the token cannot be used.
    """
    make_transport = transport or transport_for(broker_url, service, token=token, tls=tls)
    if make_transport is None:
        return None
    directory = _spool_directory(spool_path, broker_url, service)
    make_spool = _spool_for(directory, service, spool_bytes)

    def make(losses: Losses, account: Account) -> Outlet:
        return Outlet(make_transport, losses, make_spool=make_spool, account=account)

    return Publishing(make, directory)


def _spool_directory(path: str | os.PathLike[str] | None, url: str | None, service: str) -> str | None:
    """None without a URL or a path of one's own, and for an empty path."""
    if path is None and url is not None:
        from faultwire.queue.directory import default_spool_path  # noqa: PLC0415 - loaded with the spool

        return default_spool_path(os.environ, service)
    return os.fspath(path) if path else None


def _spool_for(directory: str | None, service: str, size: int) -> "Callable[[Buffer], Spool] | None":
    if directory is None:
        return None
    # Here, so that a forked child imports nothing.
    from faultwire.queue.file import SpoolLimit  # noqa: PLC0415 - SQLite is for who has a spool
    from faultwire.queue.spool import Spool  # noqa: PLC0415 - as above

    return lambda buffer: Spool(directory, service, buffer, limit=SpoolLimit(bytes=size))
