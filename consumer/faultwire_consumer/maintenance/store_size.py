"""Measures how large the store is, and how many days it holds."""

import asyncio
import math
import shutil
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.upkeep.space import list_days, measure_store
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.logging.logs import get_logger

MEASURE_SECONDS: Final = 60.0

_WAL: Final = "-wal"

log = get_logger(__name__)


class _Disk(Struct, frozen=True, kw_only=True):
    """The disk that SQLite's file is on."""

    wal_bytes: int = 0
    free_bytes: float = math.nan


def _measure_disk(path: Path | None) -> _Disk:
    """Measure it; a file that is away says nothing, and is told elsewhere."""
    if path is None:
        return _Disk()
    try:
        free = shutil.disk_usage(path.parent).free
        wal = path.with_name(path.name + _WAL)
        return _Disk(wal_bytes=wal.stat().st_size if wal.exists() else 0, free_bytes=free)
    except OSError:
        return _Disk()


def _days_ahead(days: Sequence[date], today: date) -> int:
    """Count the days after today that are there, up to the first that is not."""
    known, ahead = frozenset(days), 0
    while today + timedelta(days=ahead + 1) in known:
        ahead += 1
    return ahead


class StoreSizeWatch:
    """Measures every minute, in every worker: it costs a few queries of the catalogue."""

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        path: Path | None = None,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._path = path
        self._clock = clock
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
        """Measure once; ``store_bytes`` has the write-ahead log in it.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        size, days = await measure_store(self._store), await list_days(self._store)
        disk = await asyncio.to_thread(_measure_disk, self._path)
        self._metrics.store_bytes.set(size.bytes + disk.wal_bytes)
        self._metrics.store.wal_bytes.set(disk.wal_bytes)
        self._metrics.store.disk_free_bytes.set(disk.free_bytes)
        if self._store.name == "postgresql":
            self._metrics.store.partitions_ahead.set(_days_ahead(days, self._clock().date()))
        self._metrics.store_free_bytes.set(size.free_bytes)
        self._metrics.store_partitions.set(len(days))
        if days:
            self._metrics.store_oldest_day.set(datetime.combine(days[0], time(), UTC).timestamp())
