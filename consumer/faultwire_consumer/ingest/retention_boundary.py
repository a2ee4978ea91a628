"""Keeps out events of days that are no longer kept: there is no way to tell whether they were counted."""

from collections.abc import Sequence
from datetime import date

from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.domain.retention import Floors, first_safe, floors_ahead, is_past
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
            StoreUnavailableError: the floors have to be read, and the database does not answer now.
        """
        today = self._clock().date()
        safe = first_safe(today)
        late = [
            event.row for event in candidates if isinstance(event, Decoded) and event.row.occurred_day < safe
        ]
        if not late:
            return candidates
        known = self._floors
        if known is None or any(_is_below(_believed(known, today), row) for row in late):
            # Asked again before an event is refused: a floor that lay ahead may have been lowered.
            known = self._floors = await read_floors(self._store)
        floors = _believed(known, today)
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
        today = self._clock().date()
        safe = first_safe(today)
        late = [row for row in rows if row.occurred_day < safe]
        if not late:
            return
        self._floors = await hold_floors(tx)
        floors = _believed(self._floors, today)
        if any(_is_below(floors, row) for row in late):
            raise StoreBusyError("a day of some of the events is being dropped")


def _believed(floors: Floors, today: date) -> Floors:
    """Leave out floors that lie ahead: a clock was wrong, and events of all days would be refused for it."""
    ahead = floors_ahead(floors, today=today)
    return {severity: day for severity, day in floors.items() if severity not in ahead} if ahead else floors


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
