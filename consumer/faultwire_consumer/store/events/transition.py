"""Storage of incidents' transitions: the new status, and the history with its reason."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import bindparam, insert, select, update

from faultwire_consumer.domain.incident import Status, Transition
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import history, incidents

_UPDATE: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("key", type_=incidents.c.id.type))
    .values(
        status=bindparam("after"),
        episode=bindparam("new_episode"),
        resolved_at=bindparam("new_resolved_at"),
    )
)
_INSERT: Final = insert(history)


class IncidentState(Struct, frozen=True):
    """The state of an incident that an operator's verb is decided on."""

    incident_id: int
    status: Status
    episode: int


async def load_incident_state(tx: Transaction, incident_id: int) -> IncidentState | None:
    """Lock an incident until the transaction ends, and read its state.

    Returns None if it does not exist, or is registered but was never counted.
    """
    table = incidents.c
    # SQLite has one writer at a time, and its dialect omits FOR UPDATE.
    rows = await tx.execute(
        select(table.id, table.status, table.episode)
        .where(table.id == incident_id, table.count > 0)
        .with_for_update()
    )
    return IncidentState(rows[0].id, Status(rows[0].status), rows[0].episode) if rows else None


async def apply_transitions(tx: Transaction, transitions: Sequence[Transition]) -> None:
    """Write the transitions and their history: two statements, however many there are.

    Rows are written in the order of their ids, so that parallel workers cannot deadlock. An incident
    that was just opened is registered as open already, so only its history is written.
    """
    if not transitions:
        return
    ordered = sorted(transitions, key=lambda transition: transition.incident_id)
    changed = [
        {
            "key": transition.incident_id,
            "after": transition.after.value,
            "new_episode": transition.episode,
            "new_resolved_at": transition.resolved_at,
        }
        for transition in ordered
        if transition.before is not None
    ]
    if changed:
        await tx.execute(_UPDATE, changed)
    await tx.execute(
        _INSERT,
        [
            {
                "incident_id": transition.incident_id,
                "at": transition.at,
                "actor": transition.actor,
                "reason": transition.reason.value,
                "event_id": transition.event_id,
                "before": transition.before.value if transition.before is not None else None,
                "after": transition.after.value,
            }
            for transition in ordered
        ],
    )
