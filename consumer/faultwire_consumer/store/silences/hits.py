"""Counts of what each silence hid, by incident, in the transaction that hides it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update

from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.notify import silence_hits, silences

INCIDENTS_MAX: Final = 1_000
"""Incidents of which a silence counts what it hid one by one; it counts the others together."""
OTHERS: Final = 0
"""In the place of an incident: all beyond those that are counted apart."""


async def record_hits(tx: Transaction, hits: Mapping[int, Mapping[int, int]], *, now: datetime) -> None:
    """Count what silences hid, by silence and incident, in the order of their ids.

    A silence's row is locked first, so that the bound of its incidents holds for all workers.
    """
    for silence_id in sorted(hits):
        by_incident = hits[silence_id]
        more = sum(by_incident.values())
        await tx.execute(
            update(silences)
            .where(silences.c.id == silence_id)
            .values(hits=silences.c.hits + more, last_hit_at=now)
        )
        counted = await _bounded(tx, silence_id, by_incident)
        await tx.execute(
            _ADD_HITS[tx.dialect],
            [
                {
                    "silence_id": silence_id,
                    "incident_id": incident_id,
                    "notifications": counted[incident_id],
                    "first_at": now,
                    "last_at": now,
                }
                for incident_id in sorted(counted)
            ],
        )


async def _bounded(tx: Transaction, silence_id: int, added: Mapping[int, int]) -> dict[int, int]:
    """Return what is added by incident; what finds no room any more is of the others."""
    of_silence = silence_hits.c.silence_id == silence_id
    known = {
        row.incident_id
        for row in await tx.execute(
            select(silence_hits.c.incident_id).where(
                of_silence, silence_hits.c.incident_id.in_(sorted(added))
            )
        )
    }
    (total,) = await tx.execute(
        select(func.count().label("rows")).select_from(silence_hits).where(of_silence)
    )
    room = max(0, INCIDENTS_MAX - total.rows)
    counted: dict[int, int] = {}
    for incident_id in sorted(added):
        is_new = incident_id not in known
        key = OTHERS if is_new and not room else incident_id
        room -= is_new and room > 0
        counted[key] = counted.get(key, 0) + added[incident_id]
    return counted


def _add_hits(dialect: str) -> Any:
    insertion = INSERT[dialect](silence_hits)
    return insertion.on_conflict_do_update(
        index_elements=[silence_hits.c.silence_id, silence_hits.c.incident_id],
        set_={
            "notifications": silence_hits.c.notifications + insertion.excluded.notifications,
            "last_at": insertion.excluded.last_at,
        },
    )


_ADD_HITS: Final = {dialect: _add_hits(dialect) for dialect in INSERT}
