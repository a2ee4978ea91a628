"""Which day's partition an event belongs to, and making a day's partition on PostgreSQL."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from faultwire_consumer.store.schema import DAYS_AHEAD, DAYS_BACK, QUARANTINE_DAY

# Any number will do, as long as nobody else takes it: one partition is made at a time.
_PARTITION_LOCK: Final = 7_140_923_366


@lru_cache(maxsize=256)
def partition_day(day: date, *, today: date) -> date:
    """The event's own day, or the quarantine's where its producer's clock is wrong or it comes too late."""
    if today - timedelta(days=DAYS_BACK) <= day <= today + timedelta(days=DAYS_AHEAD):
        return day
    return QUARANTINE_DAY


async def make_partition(connection: Any, day: date) -> None:
    """Make a day's partition if it is not there.

    Made apart and then attached: ``CREATE TABLE … PARTITION OF`` would lock out every reader.

    Args:
        connection: an asyncpg connection outside any transaction.
        day: the day.
    """
    name = f"events_{day:%Y%m%d}"
    bounds = f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})")
        if await connection.fetchval(f"SELECT to_regclass('faultwire.{name}')"):
            return
        await connection.execute(
            f"CREATE TABLE faultwire.{name} "
            "(LIKE faultwire.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
            " INCLUDING STORAGE INCLUDING COMPRESSION)"
        )
        await connection.execute(f"ALTER TABLE faultwire.events ATTACH PARTITION faultwire.{name} {bounds}")
