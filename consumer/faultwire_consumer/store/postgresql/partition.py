"""Which day's partition an event belongs to; making and dropping a day's partition on PostgreSQL."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import DAYS_AHEAD, DAYS_BACK, QUARANTINE_DAY
from faultwire_shared.failpoint import failpoint

# Any number will do, as long as nobody else takes it: one partition is made at a time.
_PARTITION_LOCK: Final = 7_140_923_366

_DROP_SECONDS: Final = 60.0
_LIST: Final = text(
    r"""
SELECT c.relname AS name, coalesce(pg_total_relation_size(c.oid), 0) AS bytes,
    i.inhparent IS NOT NULL AS is_attached, coalesce(i.inhdetachpending, false) AS is_detaching
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE n.nspname = 'faultwire' AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{8}$' ORDER BY c.relname
"""
)


class Partition(Struct, frozen=True, kw_only=True):
    """A day's table, its indexes and large values included in its size."""

    day: date
    name: str
    bytes: int
    is_attached: bool
    """False where whoever dropped it was killed half-way."""
    is_detaching: bool


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


async def list_partitions(store: Store) -> Sequence[Partition]:
    """The days' tables from the oldest on, the quarantine's not among them.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    return [
        Partition(
            day=datetime.strptime(row.name, "events_%Y%m%d").date(),  # noqa: DTZ007 - a day has no zone
            name=row.name,
            bytes=row.bytes,
            is_attached=row.is_attached,
            is_detaching=row.is_detaching,
        )
        for row in await store.read(_LIST)
    ]


async def drop_partition(store: Store, partition: Partition) -> None:
    """Drop a day's table, or finish what somebody began; its space is the disk's again.

    It is detached first, beside those who read and write other days: ``DROP TABLE`` alone would
    lock all of them out, and while it waits for one long query, every other waits behind it.

    Raises:
        StoreUnavailableError: a query that runs for long is in the way; try again later.
    """
    table = f"faultwire.{partition.name}"
    if partition.is_attached:
        how = "FINALIZE" if partition.is_detaching else "CONCURRENTLY"
        await store.run_alone(
            f"ALTER TABLE faultwire.events DETACH PARTITION {table} {how}", seconds=_DROP_SECONDS
        )
    failpoint("prune.detached")
    await store.run_alone(f"DROP TABLE IF EXISTS {table}", seconds=_DROP_SECONDS)
