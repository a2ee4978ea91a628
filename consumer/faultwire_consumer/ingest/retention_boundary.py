"""Keeps events out whose day is kept no longer: nobody can tell any more whether they were counted."""

from collections.abc import Sequence

from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.domain.retention import Floors, first_safe, is_past
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, Rejected, unreadable
from faultwire_consumer.store.contract.store import EventRow, Store, StoreBusyError, Transaction
from faultwire_consumer.store.upkeep.retention_floors import hold_floors, read_floors
from faultwire_shared.clock import Clock
from faultwire_shared.event_id import day_of


class RetentionBoundary:
    """Knows the floors; asks the store for them where an event is late enough to be below one."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._floors: Floors | None = None

    async def sieve(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates, with a dead letter in the place of each event below its floor.

        Raises:
            StoreUnavailableError: the floors were never read, and the database does not answer now.
        """
        safe = first_safe(self._clock().date())
        if not any(isinstance(one, Decoded) and one.row.occurred_day < safe for one in candidates):
            return candidates
        if self._floors is None:
            self._floors = await read_floors(self._store)
        floors = self._floors
        return [
            _letter_of(one, floors)
            if isinstance(one, Decoded) and is_past(floors, one.row.severity, day_of(one.row.event_id))
            else one
            for one in candidates
        ]

    async def verify(self, tx: Transaction, rows: Sequence[EventRow]) -> None:
        """Make sure that no row is below a floor, and that none rises above it before the transaction ends.

        Raises:
            StoreBusyError: a floor was raised meanwhile; sieve and try again.
        """
        safe = first_safe(self._clock().date())
        late = [row for row in rows if row.occurred_day < safe]
        if not late:
            return
        self._floors = await hold_floors(tx)
        if any(is_past(self._floors, row.severity, day_of(row.event_id)) for row in late):
            raise StoreBusyError("a day is being dropped that some of the events are of")


def _letter_of(candidate: Decoded, floors: Floors) -> Rejected:
    row = candidate.row
    detail = (
        f"{row.severity} events are kept from {floors[row.severity]} on, so nobody can tell whether this one "
        f"of {day_of(row.event_id)} was counted before it was dropped; if it never came before, publish it "
        "again under an id of today, else discard it at $.id"
    )
    return unreadable(candidate.delivery, row.doc, StoreReason.PAST_RETENTION, detail, row.received_at)
