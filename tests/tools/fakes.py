"""Hand-written stand-ins for what a test must be able to break."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

from sqlalchemy import Executable, Row

from faultwire_consumer.store.contract.pile import UsualWrites
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
    StoreUnavailableError,
    Transaction,
)


class BreakableStore:
    """A real store that can be told to be away, or in the way of others for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.name
        self.is_away = False
        self.busy_times = 0
        self.refused_ids: set[str] = set()
        self.turned_away = 0
        self.writes = 0
        self.registrations = 0
        """In commits of their own."""

    async def warm(self, usual: UsualWrites = ()) -> None:
        await self._store.warm(usual)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        self._check()
        if self.busy_times:
            self.busy_times -= 1
            raise StoreBusyError("deadlock detected")
        self.writes += 1
        async with self._store.write() as tx:
            yield _RefusingTransaction(tx, self.refused_ids)

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        self._check()
        return await self._store.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        yield self

    async def register(self, fingerprints: Sequence[NewFingerprint], sightings: Sequence[Place]) -> None:
        self._check()
        self.registrations += 1
        await self._store.register(fingerprints, sightings)

    async def prepare_days(self, days: frozenset[date]) -> None:
        self._check()
        await self._store.prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        self._check()
        await self._store.run_alone(statement, seconds=seconds)

    async def ping(self) -> None:
        self._check()
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()

    def _check(self) -> None:
        if self.is_away:
            self.turned_away += 1
            raise StoreUnavailableError("the database is away")


class _RefusingTransaction:
    """Refuses a batch that holds a marked event, as a constraint of the database would."""

    def __init__(self, tx: Transaction, refused_ids: set[str]) -> None:
        self._tx = tx
        self._refused_ids = refused_ids
        self.dialect = tx.dialect
        self.pile = tx.pile

    async def execute(self, statement: Executable, parameters: Any = None) -> Sequence[Row[Any]]:
        return await self._tx.execute(statement, parameters)

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        await self._tx.register(fingerprints, places)

    async def record_events(
        self, rows: Sequence[EventRow], growth: Sequence[int] = (), *, bodies_max: int = BODIES_MAX
    ) -> Counted:
        if any(row.event_id in self._refused_ids for row in rows):
            raise RowsRejectedError("value out of range")
        return await self._tx.record_events(rows, growth, bodies_max=bodies_max)
