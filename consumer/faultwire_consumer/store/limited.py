"""A store of whose connections operators' queries take a few at a time: the rest are the lanes'."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Any, Final

from sqlalchemy import Executable, Row

from faultwire_consumer.store.contract.pile import UsualWrites
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import NewFingerprint, Place, Store, StoreReader, Transaction

READS: Final = 4
"""Of the pool's twelve connections. A page asks five queries at most, which then wait for each other."""


class LimitedStore:
    """Every store, with its queries in turns; no query waits inside another."""

    def __init__(self, store: Store, *, reads: int = READS) -> None:
        self.name = store.name
        self._store = store
        self._turn = asyncio.Semaphore(reads)

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Warm it."""
        await self._store.warm(usual)

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction, at once: somebody acted."""
        return self._store.write()

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query when it is its turn."""
        async with self._turn:
            return await self._store.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        """Return a reader when it is its turn."""
        async with self._turn, self._store.reading() as reader:
            yield reader

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places."""
        await self._store.register(fingerprints, places)

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for these days."""
        await self._store.prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a maintenance statement."""
        await self._store.run_alone(statement, seconds=seconds)

    async def ping(self) -> None:
        """Ask for a sign of life, at once."""
        await self._store.ping()

    async def close(self) -> None:
        """Do nothing: its owner closes it."""
