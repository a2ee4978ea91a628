"""Makes findable, in small steps, what ingest did not: old bodies once, and edge bodies every minute."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.upkeep.search_fill import add_edges, fill_step
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "search"
EVERY: Final = timedelta(minutes=1)
PAUSE_SECONDS: Final = 0.02
"""Between two steps, so that ingest goes on."""
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
        steps = 0
        while await fill_step(self._store):
            steps += 1
            if steps % _EDGES_AFTER == 0:
                await add_edges(self._store)
            await self._sleep(PAUSE_SECONDS)
        if steps:
            log.info("search.filled", steps=steps)
