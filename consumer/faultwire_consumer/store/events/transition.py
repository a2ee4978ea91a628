"""Storage of incidents' transitions: the new status, and the history with its reason."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, insert, select, update

from faultwire_consumer.domain.incident import IncidentState, Status, Transition
from faultwire_consumer.domain.incident_terms import encode_terms, read_terms
from faultwire_consumer.store.contract.pile import insertion, write_of
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.events.figures.standing import urgency_expression
from faultwire_consumer.store.outbox.recovery import enqueue_recoveries
from faultwire_consumer.store.schema.events import history, incidents
from faultwire_shared.event import ErrorSeverity

_UPDATE: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("key", type_=incidents.c.id.type))
    .values(
        status=bindparam("after", type_=incidents.c.status.type),
        episode=bindparam("new_episode", type_=incidents.c.episode.type),
        resolved_at=bindparam("new_resolved_at"),
        terms=bindparam("new_terms"),
        muted_at=bindparam("new_muted_at"),
        version=incidents.c.version + 1,
        urgency=urgency_expression(
            bindparam("after", type_=incidents.c.status.type),
            episode=bindparam("new_episode", type_=incidents.c.episode.type),
        ),
    )
)
_ASSIGN: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("key", type_=incidents.c.id.type))
    .values(assignee=bindparam("new_assignee"))
)
_INSERT: Final = insert(history)
_COLUMNS: Final = tuple(name for name in history.c.keys() if name != "id")  # noqa: SIM118 - of columns, `in` asks otherwise
HISTORY: Final = insertion("history", history, _COLUMNS)

_STATE: Final = tuple(
    incidents.c.id.label(name) if name == "incident_id" else incidents.c[name]
    for name in IncidentState.__struct_fields__
)
_IS_ONE: Final = (incidents.c.count > 0) | incidents.c.merged_into.is_not(None)


async def load_incident_state(tx: Transaction, incident_id: int) -> IncidentState | None:
    """Lock an incident until the transaction ends, and read its state.

    Returns None if it does not exist, or is registered but was never counted.
    """
    return (await load_incident_states(tx, [incident_id])).get(incident_id)


async def load_incident_states(tx: Transaction, ids: Collection[int]) -> dict[int, IncidentState]:
    """Lock incidents in the order of their ids, and read the states of those that exist."""
    # SQLite has one writer at a time, and its dialect omits FOR UPDATE.
    rows = await tx.execute(select_states(incidents.c.id.in_(sorted(ids))).with_for_update())
    return {row.incident_id: state_from(row) for row in rows}


def select_states(*conditions: ColumnElement[bool]) -> Any:
    """Select the states of incidents, in the order of their ids."""
    return select(*_STATE).where(*conditions, _IS_ONE).order_by(incidents.c.id)


def state_from(row: Any) -> IncidentState:
    """Return a row of `select_states` as a state."""
    return IncidentState(
        **values_of(row)
        | {
            "status": Status(row.status),
            "severity": ErrorSeverity.from_rank(row.severity),
            "terms": read_terms(row.terms),
        }
    )


async def apply_transitions(tx: Transaction, transitions: Sequence[Transition]) -> None:
    """Write the transitions and their history: a few statements, however many there are.

    Rows are written in the order of their ids, so that parallel workers cannot deadlock. An incident
    that was just opened is registered as open already, so only its history is written. Receivers that
    hear of recoveries get their notices with it, whoever acknowledged or resolved.
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
            "new_terms": encode_terms(transition.terms),
            "new_muted_at": transition.terms.mute.at if transition.terms.mute is not None else None,
        }
        for transition in ordered
        if transition.before is not None
    ]
    if changed:
        await tx.execute(_UPDATE, changed)
    assigned = [
        {"key": transition.incident_id, "new_assignee": transition.assignment.to}
        for transition in ordered
        if transition.assignment is not None
    ]
    if assigned:
        await tx.execute(_ASSIGN, assigned)
    lines = [_line_of(transition) for transition in ordered]
    if tx.pile is not None:
        await tx.pile.add(write_of(HISTORY, _COLUMNS, lines))
    else:
        await tx.execute(_INSERT, lines)
    await enqueue_recoveries(tx, transitions)


def _line_of(transition: Transition) -> dict[str, Any]:
    return {
        "incident_id": transition.incident_id,
        "at": transition.at,
        "actor": transition.actor,
        "reason": transition.reason.value,
        "event_id": transition.event_id,
        "before": transition.before.value if transition.before is not None else None,
        "after": transition.after.value,
        "detail": transition.detail or None,
        "note": transition.note or None,
        "release": transition.release,
    }
