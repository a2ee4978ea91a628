"""The identity of a stored event beside its id, by which a redelivery is told from somebody else's event."""

from collections.abc import Sequence

from sqlalchemy import select

from faultwire_consumer.store.contract.store import EventRow, Transaction
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events
from faultwire_shared.event_id import day_of

Identity = tuple[str, str | None, int | None]
"""Service, producer and the producer's number."""


def identity_of(row: EventRow) -> Identity:
    """Return an event's identity."""
    return row.service, row.producer_id, row.sequence


async def read_identities(tx: Transaction, rows: Sequence[EventRow]) -> dict[str, Identity]:
    """Read the identities of the events that are stored under these rows' ids."""
    table = events.c
    days = {QUARANTINE_DAY, *(day_of(row.event_id) for row in rows)}
    found = await tx.execute(
        select(table.event_id, table.service, table.producer_id, table.sequence).where(
            table.occurred_day.in_(sorted(days)), table.event_id.in_(sorted(row.event_id for row in rows))
        )
    )
    return {row.event_id: (row.service, row.producer_id, row.sequence) for row in found}
