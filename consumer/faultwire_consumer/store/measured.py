"""A store whose statements are timed, and whose errors are counted."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from typing import Any, Final, Protocol, runtime_checkable

from sqlalchemy import Executable, Row

from faultwire_consumer.metrics.store import CONNECTION_STATES, STATEMENTS, StoreMetrics
from faultwire_consumer.store.contract.pile import Pile, UsualWrites, Write
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import (
    BODIES_MAX,
    Counted,
    EventRow,
    NewFingerprint,
    Place,
    RowsRejectedError,
    Store,
    StoreBusyError,
    StoreReader,
    StoreRefusedError,
    StoreSlowError,
    StoreUnavailableError,
    Transaction,
)

_KINDS: Final = {name: name for name in STATEMENTS}
_CLASSES: Final[Mapping[type[Exception], str]] = {
    StoreBusyError: "busy",
    StoreRefusedError: "refused",
    StoreSlowError: "slow",
    RowsRejectedError: "rejected",
}
_PASSING: Final = (StoreBusyError, StoreSlowError, RowsRejectedError)
"""What a database that answers says."""


@runtime_checkable
class Pooled(Protocol):
    """Something that knows its connections."""

    @property
    def certificate_ends_at(self) -> float | None:
        """End of the other side's certificate in Unix time; None without TLS that is verified."""
        ...

    def connections(self) -> Mapping[str, int]:
        """Return how many there are by state: ``idle`` and ``in_use``."""
        ...


class MeasuredPile:
    """Writes that go together, timed where they are sent; what waits until the end counts to the commit."""

    def __init__(self, pile: Pile, timed: "Timed") -> None:
        self._pile = pile
        self._timed = timed

    async def add(self, write: Write) -> None:
        """Have a write sent with those that follow."""
        await self._pile.add(write)

    async def send(self, last: Write | None = None) -> Sequence[Any]:
        """Send what waits."""
        with self._timed("together"):
            return await self._pile.send(last)


class MeasuredTransaction:
    """A transaction whose statements are timed."""

    def __init__(self, transaction: Transaction, timed: "Timed") -> None:
        self.dialect = transaction.dialect
        self.pile = None if transaction.pile is None else MeasuredPile(transaction.pile, timed)
        self._transaction = transaction
        self._timed = timed

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one Core statement, timed under its kind."""
        kind = _KINDS.get(getattr(statement, "__visit_name__", ""), "other")
        with self._timed(kind):
            return await self._transaction.execute(statement, parameters)

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_max: int = BODIES_MAX
    ) -> Counted:
        """Insert and count a batch."""
        with self._timed("record_events"):
            return await self._transaction.record_events(rows, growth, bodies_max=bodies_max)

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places."""
        with self._timed("register"):
            await self._transaction.register(fingerprints, places)


class MeasuredReader:
    """A reader whose queries are timed."""

    def __init__(self, reader: StoreReader, timed: "Timed") -> None:
        self.name = reader.name
        self._reader = reader
        self._timed = timed

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query."""
        with self._timed("read"):
            return await self._reader.read(query)


class Timed:
    """Times what runs within it, whether it succeeds or fails."""

    def __init__(self, metrics: StoreMetrics, clock: Callable[[], float]) -> None:
        self._observers = metrics.observers
        self._clock = clock

    @contextmanager
    def __call__(self, statement: str) -> Iterator[None]:
        """Time a statement."""
        started = self._clock()
        try:
            yield
        finally:
            self._observers[statement](self._clock() - started)


class MeasuredStore:
    """Every store, measured.

    Args:
        store: the one that does the work.
        metrics: where it is shown.
        clock: the source of monotonic seconds.
    """

    def __init__(
        self, store: Store, metrics: StoreMetrics, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.name = store.name
        self._store = store
        self._metrics = metrics
        self._timed = Timed(metrics, clock)
        metrics.up.set(1)  # it was opened just now

    @property
    def certificate_ends_at(self) -> float | None:
        """End of the database's certificate in seconds of Unix time; None without one."""
        return self._store.certificate_ends_at if isinstance(self._store, Pooled) else None

    async def show_connections(self) -> None:
        """Show how many connections there are, by state."""
        found = self._store.connections() if isinstance(self._store, Pooled) else {}
        for state in CONNECTION_STATES:
            self._metrics.connections.labels(state).set(found.get(state, 0))

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Warm it."""
        await self._store.warm(usual)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MeasuredTransaction]:
        """Begin a transaction; the wait for it and its commit are timed too."""
        with self._counting_errors():
            opening = self._store.write()
            with self._timed("begin"):
                transaction = await opening.__aenter__()
            try:
                yield MeasuredTransaction(transaction, self._timed)
            except BaseException as error:
                if not await opening.__aexit__(type(error), error, error.__traceback__):
                    raise
            else:
                with self._timed("commit"):
                    await opening.__aexit__(None, None, None)

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query."""
        with self._counting_errors(), self._timed("read"):
            return await self._store.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        """Return a reader."""
        with self._counting_errors():
            async with self._store.reading() as reader:
                yield MeasuredReader(reader, self._timed)

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places."""
        with self._counting_errors(), self._timed("register"):
            await self._store.register(fingerprints, places)

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for these days."""
        with self._counting_errors(), self._timed("prepare_days"):
            await self._store.prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a maintenance statement."""
        with self._counting_errors(), self._timed("maintenance"):
            await self._store.run_alone(statement, seconds=seconds)

    async def ping(self) -> None:
        """Ask for a sign of life."""
        with self._counting_errors(), self._timed("ping"):
            await self._store.ping()

    async def close(self) -> None:
        """Close it."""
        await self._store.close()

    @contextmanager
    def _counting_errors(self) -> Iterator[None]:
        try:
            yield
        except (StoreUnavailableError, RowsRejectedError) as error:
            self._metrics.errors.labels(_CLASSES.get(type(error), "unavailable")).inc()
            self._metrics.up.set(isinstance(error, _PASSING))
            raise
        else:
            self._metrics.up.set(1)
