"""A worker as one value that names its parts, and the little that its life asks of each."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from faultwire_consumer.store.contract.pile import UsualWrites


class Part(Protocol):
    """Runs until it is cancelled, or until nothing is left to do."""

    async def run(self) -> None:
        """Go on."""
        ...


class LanePart(Part, Protocol):
    """A part that serves one lane."""

    @property
    def lane(self) -> str:
        """The lane's name."""
        ...


class ReceivingPart(LanePart, Protocol):
    """A receiver, see `faultwire_consumer.ingest.receiver`."""

    async def stop(self) -> None:
        """Take nothing more in; what waits can still be collected."""
        ...

    async def close(self) -> None:
        """Let go of the connection, after everything collected is settled."""
        ...


class SendingPart(Part, Protocol):
    """The dispatcher of notifications."""

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, and let what is being sent end."""
        ...


class ReportingPart(Part, Protocol):
    """Takes the worker's own errors between its entry and its exit."""

    def report(self, error: BaseException, *, part: str) -> object:
        """Publish what the worker goes on after, or count it."""
        ...

    async def report_fatal(self, error: BaseException, *, part: str) -> None:
        """Publish what ends the worker."""
        ...

    async def __aenter__(self) -> Self:
        """Begin to publish them."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish what has only been counted, and stop."""
        ...


class ServingPart(Protocol):
    """The HTTP server."""

    async def start(self) -> str:
        """Listen; the address of the page."""
        ...

    async def aclose(self) -> None:
        """Listen no longer, and let the requests that are under way end."""
        ...


class Releasable(Protocol):
    """Holds connections of its own."""

    async def aclose(self) -> None:
        """Let them go."""
        ...


class ShownState(Protocol):
    """Shows how the worker does to who watches it from outside."""

    def note_draining(self) -> None:
        """Show that it ends."""
        ...

    def note_failed(self, name: str) -> None:
        """Count a failure of a chore."""
        ...


class Database(Protocol):
    """Connections to a database."""

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Have ready what the first events would wait for."""
        ...

    async def close(self) -> None:
        """Give every connection back."""
        ...


class GatewayPart(Protocol):
    """The gateway, to which foreign SDKs report."""

    @property
    def keeper(self) -> Part:
        """Passes on what it had to keep on disk."""
        ...

    @property
    def reports(self) -> Part:
        """Reports what the SDKs say."""
        ...

    async def start(self) -> None:
        """Be ready for the first request."""
        ...

    async def aclose(self) -> None:
        """Let go of its disk, after the last request."""
        ...


class EndingPart(Protocol):
    """Says that the end begins."""

    async def begin(self) -> None:
        """Say so, and wait until it was heard."""
        ...


class Worker(Struct, frozen=True, kw_only=True):
    """Every part of a worker, put together and not yet running."""

    receivers: Sequence[ReceivingPart]
    lanes: Sequence[LanePart]
    dispatcher: SendingPart
    server: ServingPart
    report: ReportingPart

    digest_maker: Part
    figures: Part
    gap_watch: Part
    loop_lag: Part
    partitions: Part
    absence: Part
    auto_resolve: Part
    retention: Part
    search_filler: Part
    watches: Mapping[str, Part]
    """Parts that only look, for the metrics, by name."""
    upkeep: Part
    replica_watch: Part | None
    """None where no read replica is configured."""
    heartbeat: Part | None = None
    """None where nobody listens for one."""
    packing: Mapping[str, Part] = {}
    """Nothing where bodies are stored as they come."""
    reload: Part | None = None
    """None where nothing asks for it."""

    telling: Part | None = None
    """None where no service manager listens."""
    ending: EndingPart | None = None
    """None where nobody has to hear of the end before it."""

    store: Database
    replica: Database | None
    senders: Sequence[Releasable]
    broker_ping: Releasable | None
    """None without a broker."""
    broker_door: Releasable | None
    """The intake's way to the broker; None where the intake stores."""

    gateway: GatewayPart | None = None
    """None where foreign SDKs may not report here."""

    database: str
    """The database's address as logs may show it."""
    state: ShownState
