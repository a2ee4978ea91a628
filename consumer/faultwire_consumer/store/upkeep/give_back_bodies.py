"""Return of deleted bodies to their incidents' budgets."""

from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, bindparam, case, delete, func, select, update

from faultwire_consumer.store.contract.store import Store, StoreSlowError
from faultwire_consumer.store.schema.events import (
    QUARANTINE_DAY,
    edge_bodies,
    events,
    fingerprints,
    incidents,
)

_BATCH: Final = 500
_LEFT: Final = incidents.c.bodies - bindparam("gone")
_GIVE_BACK: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("incident"))
    .values(bodies=case((_LEFT > 0, _LEFT), else_=0))
)


async def give_back_bodies(store: Store, day: date, condition: ColumnElement[bool]) -> None:
    """Give the bodies of a day's events back to their incidents' budgets, before the events are deleted.

    A prune that is killed may do so twice for a day: then a few more bodies are kept than the budget
    says. A day that takes PostgreSQL longer to read than a statement may take is not given back.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    statement = (
        select(fingerprints.c.incident_id, func.count().label("gone"))
        .select_from(events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint))
        .where(events.c.occurred_day == day, condition, events.c.doc.is_not(None))
        .group_by(fingerprints.c.incident_id)
        .order_by(fingerprints.c.incident_id)
    )
    try:
        rows = [{"incident": row.incident_id, "gone": row.gone} for row in await store.read(statement)]
    except StoreSlowError:
        return
    for start in range(0, len(rows), _BATCH):
        async with store.write() as tx:
            await tx.execute(_GIVE_BACK, rows[start : start + _BATCH])


async def delete_edge_bodies(store: Store, *, before: date) -> None:
    """Delete the bodies of first and last events whose days were dropped.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = edge_bodies.c
    old = (table.occurred_day < before, table.occurred_day != QUARANTINE_DAY)
    async with store.write() as tx:
        await tx.execute(delete(edge_bodies).where(*old))
