"""Retention floors: the days from which events are kept, so that a dropped one is not counted again.

A floor is raised before anything below it is deleted, and exclusively: every transaction that accepts
an event of a late day holds `_LOCK` shared until its commit, the one that raises a floor holds it
exclusively. So every later transaction sees the new floor, and every earlier one has ended when the
first row is deleted.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import and_, bindparam, delete, select, text, update

from faultwire_consumer.domain.retention import Floors, FloorStatus, floors_ahead
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.upkeep import retention_floors
from faultwire_consumer.store.upkeep.leases import Lease, check_lease
from faultwire_shared.event import ErrorSeverity

# Any number that nobody else uses will do. An advisory lock, because it queues fairly: a backlog of
# late events cannot hold up a prune for ever, as row locks could.
_LOCK: Final = 7_140_923_367
_TABLE: Final = retention_floors.c


async def read_floor_statuses(store: Store) -> dict[ErrorSeverity, FloorStatus]:
    """Read each severity's floor, and how far the store was cleared below it.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select(_TABLE.severity, _TABLE.day, _TABLE.cleared_to))
    return {ErrorSeverity.from_rank(row.severity): FloorStatus(row.day, row.cleared_to) for row in rows}


async def read_floors(store: Store) -> dict[ErrorSeverity, date]:
    """Read each severity's floor.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return {severity: status.day for severity, status in (await read_floor_statuses(store)).items()}


async def hold_floors(tx: Transaction) -> dict[ErrorSeverity, date]:
    """Lock the floors against being raised until this transaction ends, and read them."""
    if tx.dialect == "postgresql":
        # A separate statement: in one with the query, the query's view would be older than the lock.
        await tx.execute(text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})"))
    rows = await tx.execute(select(_TABLE.severity, _TABLE.day))
    return {ErrorSeverity.from_rank(row.severity): row.day for row in rows}


async def raise_floors(store: Store, wanted: Floors, *, lease: Lease, now: datetime) -> None:
    """Raise floors to the wanted days, and leave those that are higher already.

    Raises:
        LeaseLostError: another worker prunes by now.
        StoreUnavailableError: the database cannot be used now, or batches of late events are in the way.
    """
    if not wanted:
        return
    async with store.write() as tx:
        if tx.dialect == "postgresql":
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await check_lease(tx, lease, now=now)
        for severity in sorted(wanted, key=lambda severity: severity.rank):
            insertion = INSERT[tx.dialect](retention_floors).values(
                severity=severity.rank, day=wanted[severity], raised_at=now
            )
            await tx.execute(
                insertion.on_conflict_do_update(
                    index_elements=[_TABLE.severity],
                    set_={"day": insertion.excluded.day, "raised_at": insertion.excluded.raised_at},
                    where=_TABLE.day < insertion.excluded.day,
                )
            )


async def lower_floors(
    store: Store, wanted: Floors, *, today: date, lease: Lease, now: datetime
) -> dict[ErrorSeverity, date]:
    """Lower floors that lie ahead of all clocks to the wanted days, or remove them; return what they were.

    What such a floor took while a clock was ahead is gone. An event of those days that comes again is
    taken in and counted again, which is the lesser evil: otherwise all of them would be dead letters.

    Args:
        store: the store.
        wanted: the floors by the right day; a severity that has none needs none.
        today: by the clock that is furthest ahead.
        lease: of the pruning.
        now: the time.

    Raises:
        LeaseLostError: another worker prunes by now.
        StoreUnavailableError: the database cannot be used now, or batches of late events are in the way.
    """
    if not floors_ahead(await read_floors(store), today=today):
        return {}
    async with store.write() as tx:
        if tx.dialect == "postgresql":
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await check_lease(tx, lease, now=now)
        rows = await tx.execute(select(_TABLE.severity, _TABLE.day))
        ahead = floors_ahead({ErrorSeverity.from_rank(row.severity): row.day for row in rows}, today=today)
        for severity in ahead:
            its = _TABLE.severity == severity.rank
            if severity in wanted:
                lowered = {"day": wanted[severity], "cleared_to": None, "raised_at": now}
                await tx.execute(update(retention_floors).where(its).values(lowered))
            else:
                await tx.execute(delete(retention_floors).where(its))
    return dict(ahead)


async def mark_cleared(store: Store, floors: Mapping[ErrorSeverity, FloorStatus]) -> None:
    """Record that nothing is left below these floors.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    done = [
        {"rank": severity.rank, "floor": status.day}
        for severity, status in floors.items()
        if status.cleared_to != status.day
    ]
    if not done:
        return
    statement = (
        update(retention_floors)
        .where(and_(_TABLE.severity == bindparam("rank"), _TABLE.day == bindparam("floor")))
        .values(cleared_to=_TABLE.day)
    )
    async with store.write() as tx:
        await tx.execute(statement, done)
