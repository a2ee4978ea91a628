"""The growth of a database, for its operators: what it keeps, and what has come to it in the last week."""

import asyncio
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Final

from msgspec import Struct
from sqlalchemy import func, select

from faultwire_consumer.domain.figures.growth import WINDOW, Growth
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.engine import open_to_read
from faultwire_consumer.store.events.figures.reading import select_totals
from faultwire_consumer.store.schema.events import UtcDateTime
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.upkeep.retention_floors import read_floors
from faultwire_consumer.store.upkeep.space import measure_store
from faultwire_shared.event import ErrorSeverity

_EVER: Final = date(1970, 1, 1)


class DatabaseGrowth(Struct, frozen=True, kw_only=True):
    """A store's growth, who it comes from, and the room that is left."""

    growth: Growth
    services: Mapping[str, int]
    """Events of the window, the loudest first; of a bounded number of services."""
    disk_free_bytes: int | None
    """None where the disk is another machine's."""


async def read_growth(database_url: str, *, now: datetime) -> DatabaseGrowth:
    """Read how a database grows; a worker may use it at the same time.

    Raises:
        DatabaseUrlError: the text names no database.
        StoreUnavailableError: it does not answer, or lets nobody in.
        MigrationError: its schema is not this release's.
    """
    store = await open_to_read(database_url)
    try:
        return await _read(store, database_url, now)
    finally:
        await store.close()


async def _read(store: Store, url: str, now: datetime) -> DatabaseGrowth:
    size = await measure_store(store)
    first = (await store.read(select(func.min(hourly_totals.c.hour, type_=UtcDateTime()).label("at"))))[0].at
    since = min(now, max(now - WINDOW, first or now))
    growth = Growth(
        bytes=size.bytes - size.free_bytes,
        window=now - since,
        kept=await _kept(store, await read_floors(store), now),
        lately=await _by_severity(store, since, now),
    )
    services = await store.read(select_totals("service", since=since, until=now, services=()))
    return DatabaseGrowth(
        growth=growth,
        services={row.service: int(row.total) for row in services},
        disk_free_bytes=await asyncio.to_thread(_free_of, url),
    )


async def _kept(
    store: Store, floors: Mapping[ErrorSeverity, date], now: datetime
) -> dict[ErrorSeverity, int]:
    """Count what was counted since each severity's floor."""
    since = {one: datetime.combine(floors.get(one, _EVER), time(), UTC) for one in ErrorSeverity}
    counted = {moment: await _by_severity(store, moment, now) for moment in frozenset(since.values())}
    return {severity: counted[moment].get(severity, 0) for severity, moment in since.items()}


async def _by_severity(store: Store, since: datetime, until: datetime) -> dict[ErrorSeverity, int]:
    rows = await store.read(select_totals("severity", since=since, until=until, services=()))
    return {ErrorSeverity.from_rank(row.severity): int(row.total) for row in rows}


def _free_of(url: str) -> int | None:
    parsed = parse_database_url(url)
    return shutil.disk_usage(sqlite_path(parsed).parent).free if parsed.drivername == "sqlite" else None
