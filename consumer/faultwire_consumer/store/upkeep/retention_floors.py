"""From which day on events are kept, so that one that comes again after it was dropped is not counted again.

A floor is raised before anything below it goes, and alone: every transaction that takes in an event
of a late day holds `_LOCK` shared until its commit, the one that raises a floor holds it alone. So
whoever comes later sees the new floor, and whoever came earlier is through when the first row goes.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import and_, bindparam, select, text, update

from faultwire_consumer.domain.retention import Floors, FloorStatus
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.upkeep import retention_floors
from faultwire_consumer.store.upkeep.leases import Lease, check_lease
from faultwire_shared.event import ErrorSeverity

# Any number will do, as long as nobody else takes it. An advisory lock, for it queues fairly: a
# backlog of late events cannot hold a prune up for ever, as row locks could.
_LOCK: Final = 7_140_923_367
_TABLE: Final = retention_floors.c


async def read_standing(store: Store) -> dict[ErrorSeverity, FloorStatus]:
    """Each severity's floor, and how far the store was cleared below it.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    rows = await store.read(select(_TABLE.severity, _TABLE.day, _TABLE.cleared_to))
    return {ErrorSeverity.from_rank(row.severity): FloorStatus(row.day, row.cleared_to) for row in rows}


async def read_floors(store: Store) -> dict[ErrorSeverity, date]:
    """Each severity's floor.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    return {severity: standing.day for severity, standing in (await read_standing(store)).items()}


async def hold_floors(tx: Transaction) -> dict[ErrorSeverity, date]:
    """Each severity's floor, which cannot be raised before this transaction ends."""
    if tx.dialect == "postgresql":
        # A statement of its own: in one with the query, that one's view would be older than the lock.
        await tx.execute(text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})"))
    rows = await tx.execute(select(_TABLE.severity, _TABLE.day))
    return {ErrorSeverity.from_rank(row.severity): row.day for row in rows}


async def raise_floors(store: Store, wanted: Floors, *, lease: Lease, now: datetime) -> None:
    """Raise floors to those that are wanted, and leave those that are higher already.

    Raises:
        LeaseLostError: another worker prunes by now.
        StoreUnavailableError: the database does not answer now, or batches of late events are in the way.
    """
    if not wanted:
        return
    async with store.write() as tx:
        if tx.dialect == "postgresql":
            await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await check_lease(tx, lease, now=now)
        for severity in sorted(wanted, key=lambda one: one.rank):
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


async def mark_cleared(store: Store, standing: Mapping[ErrorSeverity, FloorStatus]) -> None:
    """Keep that nothing is left below these floors.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    done = [
        {"rank": severity.rank, "floor": one.day}
        for severity, one in standing.items()
        if one.cleared_to != one.day
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
