"""Where an event's body is kept: in its row, or beside it as its incident's first or last, budget or not."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update

from faultwire_consumer.domain.body_budget import Body, BudgetSpent
from faultwire_consumer.store.contract.store import EventRow, Store, Transaction
from faultwire_consumer.store.schema.events import edge_bodies, events, fingerprints, incidents

EDGES: Final = (Body.FIRST, Body.LAST)

_SPENT: Final = select(
    fingerprints.c.fingerprint,
    incidents.c.count.label("counted"),
    incidents.c.bodies,
    incidents.c.first_seen_at,
    incidents.c.last_seen_at,
    incidents.c.body_kept_at,
).select_from(fingerprints.join(incidents))


def edges_to_mend(
    rows: Sequence[EventRow], *, duplicates: Collection[str], cut: Collection[str]
) -> list[tuple[Body, EventRow]]:
    """First and last events that were left without a body, for the batch turned out to be another.

    An event that was to be the last may have been stored before (and have occurred later now: what
    a clock ahead says is clamped at each delivery), and one whose body was to be kept was cut.
    """
    concerned = {row.fingerprint for row in rows if row.event_id in duplicates or row.event_id in cut}
    mended: list[tuple[Body, EventRow]] = []
    for fingerprint in sorted(concerned):
        fresh = [row for row in rows if row.fingerprint == fingerprint and row.event_id not in duplicates]
        if not fresh:
            continue
        newest = max(fresh, key=lambda row: (row.occurred_at, row.event_id))
        oldest = min(fresh, key=lambda row: (row.occurred_at, row.event_id))
        if newest.event_id in cut or newest.body is Body.NONE:
            mended.append((Body.LAST, newest))
        if oldest.event_id in cut:
            mended.append((Body.FIRST, oldest))
    return mended


def edges_in(rows: Iterable[EventRow]) -> list[tuple[Body, EventRow]]:
    """What the rows themselves say is to be kept beside the events, in the order of the key."""
    found = [(row.body, row) for row in rows if row.body in EDGES]
    return sorted(found, key=lambda one: (one[1].fingerprint, one[0]))


async def read_spent(store: Store, keys: Collection[bytes]) -> dict[bytes, BudgetSpent]:
    """What the budgets of those fingerprints that are registered were spent on.

    Raises:
        StoreUnavailableError: the database does not answer, or not now.
    """
    if not keys:
        return {}
    rows = await store.read(_SPENT.where(fingerprints.c.fingerprint.in_(sorted(keys))))
    return {
        # Where nothing is counted yet, the incident's times mean nothing.
        row.fingerprint: BudgetSpent(row.bodies, row.first_seen_at, row.last_seen_at, row.body_kept_at)
        if row.counted
        else BudgetSpent()
        for row in rows
    }


async def keep_bodies(tx: Transaction, kept: Sequence[tuple[int, EventRow]]) -> None:
    """Keep bodies with their events for good, whatever the budget says.

    Args:
        tx: the transaction that stored the events.
        kept: events whose body is not kept with them, each with its incident.
    """
    for incident_id, row in sorted(kept, key=lambda one: one[0]):
        key = (events.c.occurred_day == row.occurred_day, events.c.event_id == row.event_id)
        await tx.execute(update(events).where(*key).values(doc=row.doc))
        await tx.execute(
            update(incidents).where(incidents.c.id == incident_id).values(bodies=incidents.c.bodies + 1)
        )


def has_body(table: Any) -> ColumnElement[bool]:
    """Whether an event of ``events``, or of an alias of it, can be read and not only counted."""
    return or_(table.c.doc.is_not(None), exists().where(_at_an_edge(table)).correlate(table))


def doc_of(table: Any) -> ColumnElement[Any]:
    """Its body, which is NULL where none is kept."""
    edge: Select[Any] = select(edge_bodies.c.doc).where(_at_an_edge(table)).correlate(table).limit(1)
    return func.coalesce(table.c.doc, edge.scalar_subquery())


def _at_an_edge(table: Any) -> ColumnElement[bool]:
    return and_(edge_bodies.c.fingerprint == table.c.fingerprint, edge_bodies.c.event_id == table.c.event_id)
