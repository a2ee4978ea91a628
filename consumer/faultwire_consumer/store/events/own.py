"""Incidents of faultwire's own that end by themselves: resolved once what they tell of is mended."""

from datetime import datetime

from sqlalchemy import select

from faultwire_consumer.domain.incident import WORKER, NotPossible, Status
from faultwire_consumer.domain.lifecycle.arguments import ResolveArguments
from faultwire_consumer.domain.lifecycle.decision import Act, decide
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_consumer.store.schema.events import incidents

_MOST = 100


async def resolve_own(store: Store, service: str, code: str, *, now: datetime) -> list[int]:
    """Resolve the incidents of a code that are not resolved; return their ids.

    Raises:
        StoreUnavailableError: the database does not answer now; some may be resolved.
    """
    table = incidents.c
    rows = await store.read(
        select(table.id)
        .where(table.service == service, table.code == code, table.status != Status.RESOLVED.value)
        .where(table.merged_into.is_(None))
        .order_by(table.id)
        .limit(_MOST)
    )
    return [row.id for row in rows if await _resolve(store, row.id, now)]


async def _resolve(store: Store, incident_id: int, now: datetime) -> bool:
    async with store.write() as tx:
        incident = await load_incident_state(tx, incident_id)
        if incident is None or incident.status is Status.RESOLVED:
            return False
        decision = decide(Act(arguments=ResolveArguments(), actor=WORKER, at=now), incident)
        if decision is None or isinstance(decision, NotPossible):
            return False
        await apply_transitions(tx, [decision])
    return True
