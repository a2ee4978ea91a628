"""Measures how large the store is, and how many days it holds."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.upkeep.space import list_days, measure_store
from faultwire_shared.logging.logs import get_logger

MEASURE_SECONDS: Final = 60.0

log = get_logger(__name__)


class StoreSizeWatch:
    """Measures every minute, in every worker: it costs a few queries of the catalogue."""

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._sleep = sleep

    async def run(self) -> None:
        """Measure until cancelled; retry while the database is away."""
        while True:
            try:
                await self.measure()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="store size", why=str(error))
            await self._sleep(MEASURE_SECONDS)

    async def measure(self) -> None:
        """Measure once.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        size, days = await measure_store(self._store), await list_days(self._store)
        self._metrics.store_bytes.set(size.bytes)
        self._metrics.store_free_bytes.set(size.free_bytes)
        self._metrics.store_days.set(len(days))
        if days:
            self._metrics.store_oldest_day.set(datetime.combine(days[0], time(), UTC).timestamp())
