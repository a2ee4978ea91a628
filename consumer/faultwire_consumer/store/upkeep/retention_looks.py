"""Evidence of the date for retention: the database's clock, the newest event, and its own last look."""

from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import func, select

from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events
from faultwire_consumer.store.schema.upkeep import retention_looks

_NAME: Final = "retention"
_TABLE: Final = retention_looks.c


async def read_database_day(store: Store) -> date | None:
    """Read what day it is by the database's own clock; None for SQLite, which has the worker's.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if store.name == "sqlite":
        return None
    rows = await store.read(select(func.clock_timestamp().label("at")))
    now: datetime = rows[0].at
    return now.astimezone(UTC).date()


async def newest_day(store: Store) -> date | None:
    """Return the day of the newest event, by its producer's clock; None where there is none.

    The quarantine's events say nothing: their producers' clocks are wrong, or they came very late.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    # By the primary key and from the last day on: most of PostgreSQL's partitions are not opened.
    rows = await store.read(
        select(events.c.occurred_day)
        .where(events.c.occurred_day > QUARANTINE_DAY)
        .order_by(events.c.occurred_day.desc())
        .limit(1)
    )
    return rows[0].occurred_day if rows else None


async def read_last_look(store: Store) -> date | None:
    """Read the day by which retention went last; None before its first look.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select(_TABLE.day).where(_TABLE.name == _NAME))
    return rows[0].day if rows else None


async def write_last_look(store: Store, day: date) -> None:
    """Remember the day by which retention went.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    async with store.write() as tx:
        insertion = INSERT[tx.dialect](retention_looks).values(name=_NAME, day=day)
        await tx.execute(
            insertion.on_conflict_do_update(
                index_elements=[_TABLE.name], set_={"day": insertion.excluded.day}
            )
        )
