"""PostgreSQL's partitions by day: which one an event belongs to, and creating and dropping them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import DAYS_AHEAD, DAYS_BACK, QUARANTINE_DAY
from faultwire_shared.failpoint import failpoint

# Any number that nobody else uses will do: one partition is created at a time.
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
_BEFORE_MAKING: Final = """
SELECT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1)) AS is_attached,
    pg_has_role(relowner, 'USAGE') AS may_own, quote_ident(pg_get_userbyid(relowner)) AS owner
FROM pg_class WHERE oid = 'faultwire.events'::regclass
"""
_MAY_OWN: Final = text(
    "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'faultwire.events'::regclass"
)


class Partition(Struct, frozen=True, kw_only=True):
    """A day's table; its size includes indexes and large values."""

    day: date
    name: str
    bytes: int
    is_attached: bool
    """False if a process that was dropping it was killed half-way."""
    is_detaching: bool


@lru_cache(maxsize=256)
def partition_day(day: date, *, today: date) -> date:
    """Return the event's own day, or the quarantine's if its producer's clock is wrong or it comes late."""
    if today - timedelta(days=DAYS_BACK) <= day <= today + timedelta(days=DAYS_AHEAD):
        return day
    return QUARANTINE_DAY


async def make_partition(connection: Any, day: date) -> None:
    """Create a day's partition if it does not exist, or attach its table if somebody detached that.

    It is created separately and then attached: ``CREATE TABLE … PARTITION OF`` would lock out every
    reader. A role that may not act for the tables' owner has it made by the owner's function, for days near
    today; and who may, makes it as the owner, whom that function takes it from when it drops it.

    Args:
        connection: an asyncpg connection outside any transaction.
        day: the day.
    """
    name = f"events_{day:%Y%m%d}"
    bounds = f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})")
        found = await connection.fetchrow(_BEFORE_MAKING, f"faultwire.{name}")
        if found["is_attached"]:
            return
        if not found["may_own"]:
            await connection.execute("SELECT faultwire.make_day($1)", day)
            return
        await connection.execute(f"SET LOCAL ROLE {found['owner']}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS faultwire.{name} "
            "(LIKE faultwire.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
            " INCLUDING STORAGE INCLUDING COMPRESSION)"
        )
        await connection.execute(f"ALTER TABLE faultwire.events ATTACH PARTITION faultwire.{name} {bounds}")


async def list_partitions(store: Store) -> Sequence[Partition]:
    """Return the days' tables, the oldest first, without the quarantine's.

    Raises:
        StoreUnavailableError: the database cannot be used now.
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


async def may_own_tables(store: Store) -> bool:
    """Return True if this role may do to the tables what their owner may.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return bool((await store.read(_MAY_OWN))[0][0])


async def drop_partition(store: Store, partition: Partition) -> None:
    """Drop a day's table, or finish a drop that was interrupted; its space goes back to the disk.

    It is detached first, while others read and write other days: ``DROP TABLE`` alone would lock
    all of them out, and while it waits for one long query, every other query waits behind it. A role that
    may not act for the owner has the owner's function drop it, which asks for that lock for half a second.

    Raises:
        StoreUnavailableError: a long-running query is in the way; try again later.
    """
    table = f"faultwire.{partition.name}"
    if not await may_own_tables(store):
        await store.run_alone(f"SELECT faultwire.drop_day('{partition.day}')", seconds=_DROP_SECONDS)
        return
    if partition.is_attached:
        mode = "FINALIZE" if partition.is_detaching else "CONCURRENTLY"
        await store.run_alone(
            f"ALTER TABLE faultwire.events DETACH PARTITION {table} {mode}", seconds=_DROP_SECONDS
        )
    failpoint("prune.detached")
    await store.run_alone(f"DROP TABLE IF EXISTS {table}", seconds=_DROP_SECONDS)
