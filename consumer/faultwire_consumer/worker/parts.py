"""A worker as one value that names its parts, and the little that its life asks of each."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct


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


class Database(Protocol):
    """Connections to a database."""

    async def warm(self) -> None:
        """Have ready what the first events would wait for."""
        ...

    async def close(self) -> None:
        """Give every connection back."""
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
    store_size: Part
    upkeep: Part
    replica_watch: Part | None
    """None where no read replica is configured."""
    heartbeat: Part | None = None
    """None where nobody listens for one."""
    reload: Part | None = None
    """None where nothing asks for it."""

    store: Database
    replica: Database | None
    senders: Sequence[Releasable]
    broker_ping: Releasable | None
    """None without a broker."""
    broker_door: Releasable | None
    """The intake's way to the broker; None where the intake stores."""

    database: str
    """The database's address as logs may show it."""
