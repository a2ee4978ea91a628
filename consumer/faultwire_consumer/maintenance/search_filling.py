"""Makes findable, in small steps, what ingest did not: old bodies once, then those of floods, and edges."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.upkeep.search_fill import add_edges, drain_queue, fill_step
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "search"
EVERY: Final = timedelta(seconds=20)
PAUSE_SECONDS: Final = 0.02
"""Between two steps, so that ingest goes on."""
FLOOD_PAUSE_SECONDS: Final = 1.0
"""Between two batches while a flood goes on: what it left behind is worked off when it is over."""
_EDGES_AFTER: Final = 500
"""The steps after which first and last events have their turn."""

log = get_logger(__name__)


class SearchFiller:
    """Fills the tables of the search; may be cut short anywhere, and goes on from there.

    Args:
        store: the store to fill.
        sleep: waits between two steps.
    """

    def __init__(self, store: Store, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._store = store
        self._sleep = sleep

    async def fill(self) -> None:
        """Make everything findable whose body is kept.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        await add_edges(self._store)
        await self._drain()
        steps = 0
        while await fill_step(self._store):
            steps += 1
            if steps % _EDGES_AFTER == 0:
                await add_edges(self._store)
                await self._drain()
            await self._sleep(PAUSE_SECONDS)
        if steps:
            log.info("search.filled", steps=steps)

    async def _drain(self) -> None:
        before = None
        while (newest := await drain_queue(self._store)) is not None:
            await self._sleep(PAUSE_SECONDS if newest == before else FLOOD_PAUSE_SECONDS)
            before = newest
