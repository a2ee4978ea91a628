"""Storage of events' bodies: in the event's row within the budget, and the first and last one in any case.

The bodies of an incident's first and last event, when the budget keeps none in their rows, are stored
in a table of their own as edge bodies.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    LargeBinary,
    Select,
    and_,
    any_,
    bindparam,
    exists,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from faultwire_consumer.domain.body_budget import Body, BudgetSpent
from faultwire_consumer.store.contract.packed_body import PLAIN
from faultwire_consumer.store.contract.packing import StoredBody
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import EventRow, Store, Transaction
from faultwire_consumer.store.schema.events import edge_bodies, events, fingerprints, incidents

EDGES: Final = (Body.FIRST, Body.LAST)

_FINGERPRINTS: Final = select(
    fingerprints.c.fingerprint,
    fingerprints.c.version,
    incidents.c.count.label("counted"),
    incidents.c.bodies,
    incidents.c.first_seen_at,
    incidents.c.last_seen_at,
    incidents.c.body_kept_at,
).select_from(fingerprints.join(incidents))
KNOWN: Final = {
    # An array, for PostgreSQL to plan one statement for any number of them.
    "postgresql": _FINGERPRINTS.where(
        fingerprints.c.fingerprint == any_(bindparam("keys", type_=ARRAY(LargeBinary)))
    ),
    "sqlite": _FINGERPRINTS.where(fingerprints.c.fingerprint.in_(bindparam("keys", expanding=True))),
}


def edge_bodies_to_mend(
    rows: Sequence[EventRow], *, duplicates: Collection[str], cut: Collection[str]
) -> list[tuple[Body, EventRow]]:
    """Return the first and last events left without a body because the batch was not what it seemed.

    An event that was to be the last may be a duplicate (which now seems to have occurred later: the
    time of a clock that is ahead is clamped at each delivery), or its body was cut.
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


def edge_bodies_in(rows: Iterable[EventRow]) -> list[tuple[Body, EventRow]]:
    """Return the rows whose bodies are to be stored as edge bodies, in the order of the key."""
    found = [(row.body, row) for row in rows if row.body in EDGES]
    return sorted(found, key=lambda edge_body: (edge_body[1].fingerprint, edge_body[0]))


class KnownFingerprint(Struct, frozen=True):
    """A registered fingerprint: the algorithm's version that made it, and what its incident has spent."""

    version: int
    spent: BudgetSpent


async def read_known(store: Store, keys: Collection[bytes]) -> dict[bytes, KnownFingerprint]:
    """Read those of the fingerprints that are registered.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if not keys:
        return {}
    rows = await store.read(Prepared(KNOWN[store.name], {"keys": sorted(keys)}))
    return {
        row.fingerprint: KnownFingerprint(
            row.version,
            # While nothing is counted, the incident's times mean nothing.
            BudgetSpent(row.bodies, row.first_seen_at, row.last_seen_at, row.body_kept_at)
            if row.counted
            else BudgetSpent(),
        )
        for row in rows
    }


async def keep_bodies(tx: Transaction, bodies: Sequence[tuple[int, EventRow]]) -> None:
    """Keep bodies in their events' rows, regardless of the budget; they are few, and stay as they came.

    Args:
        tx: the transaction that stored the events.
        bodies: events whose rows have no body yet, each with its incident's id.
    """
    for incident_id, row in sorted(bodies, key=lambda body: body[0]):
        key = (events.c.occurred_day == row.occurred_day, events.c.event_id == row.event_id)
        await tx.execute(update(events).where(*key).values(doc=row.doc, doc_codec=PLAIN))
        await tx.execute(
            update(incidents).where(incidents.c.id == incident_id).values(bodies=incidents.c.bodies + 1)
        )


def has_body(table: Any) -> ColumnElement[bool]:
    """Return the condition that an event of ``events``, or of an alias of it, has a body to read."""
    return or_(table.c.doc.is_not(None), exists().where(_at_an_edge(table)).correlate(table))


def doc_of(table: Any) -> ColumnElement[Any]:
    """Return the expression for an event's body, which is NULL if none is kept."""
    edge: Select[Any] = select(edge_bodies.c.doc).where(_at_an_edge(table)).correlate(table).limit(1)
    return type_coerce(func.coalesce(table.c.doc, edge.scalar_subquery()), StoredBody())


def body_in(table: Any) -> ColumnElement[Any]:
    """Return the expression for the body in the row of a table itself: of ``events``, or of edge bodies."""
    return type_coerce(table.c.doc, StoredBody()).label("doc")


def _at_an_edge(table: Any) -> ColumnElement[bool]:
    return and_(edge_bodies.c.fingerprint == table.c.fingerprint, edge_bodies.c.event_id == table.c.event_id)
