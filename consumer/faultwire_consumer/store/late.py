"""A store whose database may still be away when it is first asked: for what has to serve meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Any, Final

from sqlalchemy import Executable, Row

from faultwire_consumer.store.contract.pile import UsualWrites
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import (
    MigrationError,
    NewFingerprint,
    Place,
    Store,
    StoreReader,
    StoreUnavailableError,
    Transaction,
)
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 5.0
"""Between two attempts to open it."""

log = get_logger("faultwire.store")


class LateStore:
    """Every store, once it is open; until then everything raises `StoreUnavailableError` at once.

    Args:
        name: of the kind of database.
        open_store: opens it.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        name: str,
        open_store: Callable[[], Awaitable[Store]],
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self._open = open_store
        self._sleep = sleep
        self._store: Store | None = None
        self._why = "the database was not asked yet"

    async def run(self) -> None:
        """Open it as soon as it answers, and return."""
        for delay in full_jitter_delays(FIRST_SECONDS, LONGEST_SECONDS):
            try:
                self._store = self._store or await self._open()
            except (StoreUnavailableError, MigrationError) as error:
                if str(error) != self._why:
                    log.warning("store.awaited", why=str(error))
                self._why = str(error)
                await self._sleep(delay)
            else:
                return

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Warm it."""
        await self._opened().warm(usual)

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction."""
        return self._opened().write()

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query."""
        return await self._opened().read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        """Return a reader."""
        async with self._opened().reading() as reader:
            yield reader

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places."""
        await self._opened().register(fingerprints, places)

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for these days."""
        await self._opened().prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a maintenance statement."""
        await self._opened().run_alone(statement, seconds=seconds)

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._opened().ping()

    async def close(self) -> None:
        """Close it, if it was ever open."""
        if self._store is not None:
            await self._store.close()

    def _opened(self) -> Store:
        if self._store is None:
            raise StoreUnavailableError(self._why)
        return self._store
