"""What every receiver is to its lane, be it RabbitMQ's queue or the HTTP intake."""

from collections.abc import Sequence
from typing import Protocol

from faultwire_consumer.domain.outcome import Outcome
from faultwire_consumer.ingest.read.delivery import Delivery


class Ingester(Protocol):
    """What a lane's loop puts its batches through."""

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        """Commit a batch; the outcomes of each delivery's events, in order."""
        ...


class LaneReceiver(Protocol):
    """Takes deliveries of one lane in, and gives them out in batches."""

    @property
    def lane(self) -> str:
        """The lane it serves; ``dead`` for the broker's dead letters."""
        ...

    @property
    def receiving(self) -> bool:
        """Whether deliveries can come in at this moment."""
        ...

    @property
    def why_idle(self) -> str:
        """Why none can come in at this moment; empty while they can."""
        ...

    @property
    def waiting(self) -> int:
        """Deliveries that were taken in and wait for their batch."""
        ...

    async def run(self) -> None:
        """Keep receiving until `stop`; connections that break are opened again."""
        ...

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        """Wait for the next batch of about ``size`` events; empty once stopped and drained."""
        ...

    async def pause(self) -> None:
        """Stop taking in, and give back what waits; what is in a batch is not touched."""
        ...

    async def resume(self) -> None:
        """Take in again."""
        ...

    async def stop(self) -> None:
        """Take nothing more in; what waits can still be collected."""
        ...

    async def close(self) -> None:
        """Let go of the connection, after everything collected is settled."""
        ...
