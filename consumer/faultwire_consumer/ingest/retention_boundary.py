"""Keeps out events of days that are no longer kept: there is no way to tell whether they were counted."""

from collections.abc import Sequence

from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.domain.retention import Floors, first_safe, is_past
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, Rejected, unreadable
from faultwire_consumer.store.contract.store import EventRow, Store, StoreBusyError, Transaction
from faultwire_consumer.store.upkeep.retention_floors import hold_floors, read_floors
from faultwire_shared.clock import Clock
from faultwire_shared.event_id import day_of


class RetentionBoundary:
    """Knows the floors; asks the store for them when an event is late enough to be below one."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._floors: Floors | None = None

    async def sieve(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Return the candidates, with a dead letter in place of each event below its floor.

        Raises:
            StoreUnavailableError: the floors were never read, and the database does not answer now.
        """
        safe = first_safe(self._clock().date())
        if not any(isinstance(event, Decoded) and event.row.occurred_day < safe for event in candidates):
            return candidates
        if self._floors is None:
            self._floors = await read_floors(self._store)
        floors = self._floors
        return [
            _dead_letter_of(candidate, floors)
            if isinstance(candidate, Decoded) and _is_below(floors, candidate.row)
            else candidate
            for candidate in candidates
        ]

    async def verify(self, tx: Transaction, rows: Sequence[EventRow]) -> None:
        """Make sure that no row is below a floor, and that none rises above it before the transaction ends.

        Raises:
            StoreBusyError: a floor was raised in the meantime; sieve and try again.
        """
        safe = first_safe(self._clock().date())
        late = [row for row in rows if row.occurred_day < safe]
        if not late:
            return
        self._floors = await hold_floors(tx)
        if any(_is_below(self._floors, row) for row in late):
            raise StoreBusyError("a day of some of the events is being dropped")


def _is_below(floors: Floors, row: EventRow) -> bool:
    return is_past(floors, row.severity, day_of(row.event_id))


def _dead_letter_of(candidate: Decoded, floors: Floors) -> Rejected:
    row = candidate.row
    detail = (
        f"{row.severity} events are kept from {floors[row.severity]} on, so nobody can tell whether this one "
        f"of {day_of(row.event_id)} was counted before it was dropped; if it never came before, publish it "
        "again under an id of today, else discard it at $.id"
    )
    return unreadable(candidate.delivery, row.doc, StoreReason.PAST_RETENTION, detail, row.received_at)
