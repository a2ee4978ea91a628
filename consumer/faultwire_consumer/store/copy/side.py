"""The interface of either database of a copy, of either kind."""

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
        """The database's address, without a password."""
        ...

    async def open(self) -> None:
        """Reserve the database for the copy.

        Raises:
            CopyRefusedError: a worker has it, or it does not exist.
        """
        ...

    async def close(self) -> None:
        """Release the database."""
        ...

    async def identity(self) -> object:
        """Return a value that is equal for all addresses of one database."""
        ...

    async def find_worker(self) -> bool:
        """Return True if a worker is using the database."""
        ...

    async def summaries(self) -> Mapping[str, TableSummary]:
        """Return the summary of every table, by its name."""
        ...

    def chunks(self, table: Table, last_key: str | None) -> AsyncGenerator[Chunk]:
        """Yield the rows of a table after a key, chunk by chunk, all as they were at one moment."""
        ...

    async def begin(self, source: str, summaries: Mapping[str, TableSummary]) -> None:
        """Store the summaries of what is going to be copied."""
        ...

    async def load_progress(self) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
        """Load the summaries and the progress of an earlier copy, both empty if there is none."""
        ...

    async def load(self, table: Table, chunk: Chunk, *, before: Step, after: Step) -> None:
        """Store a chunk and the progress with it, both or neither.

        Raises:
            CopyRefusedError: the progress is not at ``before``, because another copy is running.
        """
        ...

    async def finish(self) -> None:
        """Prepare the database for a worker: its ids continue after those that were copied."""
        ...
