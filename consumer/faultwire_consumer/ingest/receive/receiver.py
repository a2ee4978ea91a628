"""The interface of every receiver, for RabbitMQ's queue or the HTTP intake, to its lane."""

from collections.abc import Sequence
from typing import Protocol

from faultwire_consumer.domain.outcome import Outcome
from faultwire_consumer.ingest.read.delivery import Delivery


class Ingester(Protocol):
    """The pipeline that a lane's loop puts its batches through."""

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        """Commit a batch; return the outcomes of each delivery's events, in order."""
        ...


class LaneReceiver(Protocol):
    """Receives the deliveries of one lane, and hands them out in batches."""

    @property
    def lane(self) -> str:
        """The lane served; ``dead`` for the broker's dead letters."""
        ...

    @property
    def receiving(self) -> bool:
        """True if deliveries can come in at this moment."""
        ...

    @property
    def why_idle(self) -> str:
        """Reason why none can come in at this moment; empty while they can."""
        ...

    @property
    def waiting(self) -> int:
        """Number of received deliveries that wait for their batch."""
        ...

    @property
    def oldest(self) -> Delivery | None:
        """The delivery that has waited longest for its batch; None while none waits."""
        ...

    async def run(self) -> None:
        """Keep receiving until `stop`; reopen connections that break."""
        ...

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """Wait for the next batch of about ``size`` events; empty once stopped and drained."""
        ...

    async def pause(self) -> None:
        """Stop receiving, and give back what waits; batches already collected are not touched."""
        ...

    async def resume(self) -> None:
        """Receive again."""
        ...

    async def stop(self) -> None:
        """Receive nothing more; what waits can still be collected."""
        ...

    async def close(self) -> None:
        """Close the connection, after everything collected is settled."""
        ...
