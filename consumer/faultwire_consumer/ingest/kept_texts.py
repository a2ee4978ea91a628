"""Makes the events findable whose bodies a batch keeps: by their texts and their values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.searched import SearchedEvent, read_searched
from faultwire_consumer.store.contract.store import Counted, EventRow, Transaction
from faultwire_consumer.store.events.search_index import found_by, queue_found_by, record_found_by

AT_ONCE: Final = 25
"""The most bodies of a batch that are made findable with it; of more, ingest would take twice as long."""


def read_kept(rows: Sequence[EventRow]) -> Mapping[str, SearchedEvent]:
    """Read what the events are found by whose bodies go into their rows, before any row is locked.

    Returns nothing where they are more than are made findable at once.
    """
    kept = [row for row in rows if row.body is Body.KEPT]
    return {row.event_id: read_searched(row.doc) for row in kept} if len(kept) <= AT_ONCE else {}


async def record_kept(
    tx: Transaction,
    read: Mapping[str, SearchedEvent],
    rows: Iterable[EventRow],
    counted: Counted,
    *,
    regardless: Iterable[EventRow],
) -> None:
    """Record them in the transaction that keeps the bodies, or leave them to a chore where they are many.

    So are the bodies of first and last events that are kept apart: these change with every batch of a flood.

    Args:
        tx: the transaction.
        read: what `read_kept` read of the rows.
        rows: the batch's rows.
        counted: says which of them were new, and whose body was cut.
        regardless: rows whose bodies are kept though the budget left them out.
    """
    gone = counted.duplicates | counted.cut
    kept = [row for row in rows if row.body is Body.KEPT and row.event_id not in gone]
    found = [found_by(row, read[row.event_id]) for row in kept if row.event_id in read]
    await queue_found_by(tx, [(row.occurred_day, row.event_id) for row in kept if row.event_id not in read])
    found += [found_by(row, read_searched(row.doc)) for row in regardless]
    await record_found_by(tx, found)
