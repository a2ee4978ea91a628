"""The services that rules of absence watch, and when each was heard last."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, true

from faultwire_consumer.domain.incident import WORKER, NotPossible, Status
from faultwire_consumer.domain.lifecycle.arguments import ResolveArguments
from faultwire_consumer.domain.lifecycle.decision import Act, decide
from faultwire_consumer.domain.telling.absence import Watch
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_consumer.store.schema.events import incidents, producers
from faultwire_consumer.store.schema.notify import absences

_COLUMNS: Final = tuple(absences.c[name] for name in Watch.__struct_fields__)


async def load_watches(store: Store) -> list[Watch]:
    """Load every watch, of rules that the policy no longer has too."""
    return [Watch(**values_of(row)) for row in await store.read(select(*_COLUMNS))]


async def load_heard(store: Store, *, since: datetime, until: datetime) -> Mapping[str, datetime]:
    """Return when each service was heard last, of those heard since then: by a report or any event.

    Events of clients that do not number them are known by when they occurred; one from the future counts
    as of the end.
    """
    heard: dict[str, datetime] = {}
    # The hour has an index, the moment has none.
    by_hour = incidents.c.last_seen_hour >= since.replace(minute=0, second=0, microsecond=0)
    for table, indexed in ((producers, true()), (incidents, by_hour)):
        last = func.max(table.c.last_seen_at, type_=table.c.last_seen_at.type)
        rows = await store.read(
            select(table.c.service, last.label("at"))
            .where(table.c.last_seen_at >= since, indexed)
            .group_by(table.c.service)
        )
        for row in rows:
            heard[row.service] = min(until, max(row.at, heard.get(row.service, row.at)))
    return heard


async def save_watches(store: Store, watches: Sequence[Watch]) -> None:
    """Save how watches go on."""
    if not watches:
        return
    async with store.write() as tx:
        insertion = INSERT[tx.dialect](absences)
        new = insertion.excluded
        statement = insertion.on_conflict_do_update(
            index_elements=[absences.c.rule, absences.c.service],
            set_={"since": new.since, "checked_at": new.checked_at, "event_id": new.event_id},
        )
        ordered = sorted(watches, key=lambda one: (one.rule, one.service))
        rows = [{name: getattr(one, name) for name in Watch.__struct_fields__} for one in ordered]
        await tx.execute(statement, rows)


async def forget_watches(store: Store, watches: Collection[Watch]) -> None:
    """Forget services that nobody watches any more."""
    if not watches:
        return
    async with store.write() as tx:
        for one in sorted(watches, key=lambda one: (one.rule, one.service)):
            await tx.execute(
                delete(absences).where(absences.c.rule == one.rule, absences.c.service == one.service)
            )


async def resolve_absence(store: Store, event_id: str, *, now: datetime) -> int | None:
    """Resolve the incident that an event of absence belongs to; return its id if that changed it."""
    event = await get_event(store, event_id)
    if event is None:
        return None
    async with store.write() as tx:
        incident = await load_incident_state(tx, event.incident_id)
        if incident is None or incident.status is Status.RESOLVED:
            return None
        decision = decide(Act(arguments=ResolveArguments(), actor=WORKER, at=now), incident)
        if decision is None or isinstance(decision, NotPossible):
            return None
        await apply_transitions(tx, [decision])
    return incident.incident_id
