"""Tells an event whose id is somebody else's from one that came again: the latter is a duplicate, and normal.

A service tells its callers an id before the event is stored. Who posts another event under it first must
not make the real one vanish as a duplicate: it becomes a dead letter, which names whose the id is.
"""

from collections.abc import Collection, Mapping, Sequence

from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, Rejected, unreadable
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.events.identity import Identity, identity_of, read_identities


async def reject_taken(
    tx: Transaction,
    candidates: Sequence[Candidate],
    fresh: Mapping[str, Decoded],
    duplicates: Collection[str],
) -> Sequence[Candidate]:
    """Return a batch's candidates, with a dead letter in place of each event whose id is another's.

    Args:
        tx: the transaction that recorded the batch.
        candidates: the batch.
        fresh: of each id the event that was to be stored.
        duplicates: the ids that were stored before.
    """
    if not duplicates and sum(isinstance(one, Decoded) for one in candidates) == len(fresh):
        return candidates
    owners = {event_id: identity_of(event.row) for event_id, event in fresh.items()}
    if duplicates:
        owners |= await read_identities(tx, [fresh[event_id].row for event_id in sorted(duplicates)])
    return [
        _dead_letter_of(one, owner)
        if isinstance(one, Decoded) and (owner := owners[one.row.event_id]) != identity_of(one.row)
        else one
        for one in candidates
    ]


def _dead_letter_of(candidate: Decoded, owner: Identity) -> Rejected:
    row = candidate.row
    service, producer, sequence = owner
    whose = f"{service!r}" + ("" if producer is None else f", number {sequence} of producer {producer!r}")
    detail = f"an event of service {whose} was stored under this id, and this one is another at $.id"
    return unreadable(candidate.delivery, row.doc, StoreReason.ID_TAKEN, detail, row.received_at)
