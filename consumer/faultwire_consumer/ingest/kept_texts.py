"""Makes the events findable whose bodies a batch keeps: by their texts and their values."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.searched import SearchedEvent, read_searched
from faultwire_consumer.store.contract.store import Counted, EventRow, Transaction
from faultwire_consumer.store.events.search_index import found_by, record_found_by

_SLICE_EVENTS: Final = 50
"""Bodies read in one go, in about two milliseconds."""


async def read_kept(rows: Sequence[EventRow]) -> Mapping[str, SearchedEvent]:
    """Read what the events are found by whose bodies go into their rows, before any row is locked."""
    kept = [row for row in rows if row.body is Body.KEPT]
    read: dict[str, SearchedEvent] = {}
    for start in range(0, len(kept), _SLICE_EVENTS):
        if start:
            await asyncio.sleep(0)
        read |= {row.event_id: read_searched(row.doc) for row in kept[start : start + _SLICE_EVENTS]}
    return read


async def record_kept(
    tx: Transaction,
    read: Mapping[str, SearchedEvent],
    rows: Iterable[EventRow],
    counted: Counted,
    *,
    regardless: Iterable[EventRow],
) -> None:
    """Record them in the transaction that keeps the bodies.

    The bodies of first and last events that are kept apart change with every batch of a flood, and
    are made findable by a chore.

    Args:
        tx: the transaction.
        read: what `read_kept` read of the rows.
        rows: the batch's rows.
        counted: says which of them were new, and whose body was cut.
        regardless: rows whose bodies are kept though the budget left them out.
    """
    gone = counted.duplicates | counted.cut
    found = [
        found_by(row, read[row.event_id])
        for row in rows
        if row.body is Body.KEPT and row.event_id not in gone
    ]
    found += [found_by(row, read_searched(row.doc)) for row in regardless]
    await record_found_by(tx, found)
