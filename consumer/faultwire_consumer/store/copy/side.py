"""What a copy asks of either of its two databases, whichever they are."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Row, Table

from faultwire_consumer.store.copy.plan import TableSummary
from faultwire_consumer.store.copy.progress import Step

Chunk = Sequence[Row[Any]]


class Side(Protocol):
    """One of the two databases of a copy."""

    @property
    def where(self) -> str:
        """Its address, without a password."""
        ...

    async def open(self) -> None:
        """Take it for the copy.

        Raises:
            CopyRefusedError: a worker has it, or it is not there.
        """
        ...

    async def close(self) -> None:
        """Give it free."""
        ...

    async def identity(self) -> object:
        """What is equal for two addresses of one database."""
        ...

    async def find_worker(self) -> bool:
        """Whether a worker uses it now."""
        ...

    async def marks(self) -> Mapping[str, TableSummary]:
        """The mark of every table, by its name."""
        ...

    def chunks(self, table: Table, last_key: str | None) -> AsyncGenerator[Chunk]:
        """The rows of a table behind a key, chunk by chunk, all of them as they stood at one moment."""
        ...

    async def begin(self, source: str, marks: Mapping[str, TableSummary]) -> None:
        """Write down what is going to be copied."""
        ...

    async def begun(self) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
        """What was written down by the copy before, and how far that one has got; both empty without one."""
        ...

    async def load(self, table: Table, chunk: Chunk, *, before: Step, after: Step) -> None:
        """Store a chunk and how far the copy is by it, both or neither.

        Raises:
            CopyRefusedError: the copy is not as far as ``before`` says: another one is at work.
        """
        ...

    async def finish(self) -> None:
        """Make it ready for a worker: what is counted up goes on behind what was copied."""
        ...
