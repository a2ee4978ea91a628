"""Reports numbered events that do not arrive to operators, and resolves the report when they come late.

Needs no lease: the event that reports a gap has an id made from the gap, so that two workers, or
one that died half-way, report it once.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.producer.moment import CommonMoment, moment_of, shared_moments
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.gaps import (
    OWN_SERVICE,
    DueGap,
    count_missing,
    list_crowded,
    list_due_gaps,
    list_gap_incidents,
    list_opened,
    newest_before,
    record_gap_event,
    resolve_if_closed,
)
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_shared import __version__, codec
from faultwire_shared.clock import Clock
from faultwire_shared.event import SCHEMA_VERSION, Category, ErrorSeverity, Event, Sdk
from faultwire_shared.logging.logs import get_logger

OPEN_SECONDS: Final = 30.0
"""Time for which a number may be missing before it is reported: other lanes and retries may be slower."""
POLL_SECONDS: Final = 5.0
CROWD: Final = 10
"""Producers of a service that never reported themselves; the gaps of more than these are one incident."""
SERVICE: Final = OWN_SERVICE
CODE: Final = "SEQUENCE_GAP"
BACKLOG_PATIENCE: Final = timedelta(minutes=10)
"""Longest time for which a lane that is never drained delays a report: missing events may wait in it."""
ORIGIN: Final = "maintenance"

Ingest = Callable[[bytes], Awaitable[bool]]
"""Puts an event's body through the normal path; returns True if it is kept now."""

log = get_logger(__name__)


class GapWatch:
    """Watches for gaps that stay open, and for gaps that closed."""

    def __init__(
        self,
        store: Store,
        ingest: Ingest,
        *,
        metrics: Metrics,
        clock: Clock,
        open_seconds: float = OPEN_SECONDS,
        drained_at: Callable[[], datetime | None] | None = None,
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._metrics = metrics
        self._clock = clock
        self._drained_at = drained_at
        self._open = timedelta(seconds=open_seconds)
        self._once = metrics.state.measured("audit", self.run_once)

    async def run(self) -> None:
        """Check every few seconds until cancelled; retry while the store is away."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._once()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane=ORIGIN, why=str(error))

    async def run_once(self) -> None:
        """Report due gaps, resolve closed ones, and measure.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        now = self._clock()
        bound = self._opened_before(now)
        due = await list_due_gaps(self._store, opened_before=bound, now=now)
        crowded = frozenset[str]()
        if not all(gap.has_reported for gap in due):
            crowded = await list_crowded(self._store, opened_before=bound, more_than=CROWD)
        moments = shared_moments(await list_opened(self._store)) if due else []
        for gap in due:
            if not gap.has_reported and gap.service in crowded:
                group = _of_crowd(gap)
            elif gap.has_reported and (moment := moment_of(gap.opened_at, moments)):
                group = _of_moment(moment, await newest_before(self._store, moment.begins))
            else:
                group = _of_producer(gap)
            event = gap_event(gap, group, now)
            if await self._ingest(codec.encode(event)):
                await record_gap_event(self._store, gap, event.id, now=now)
                log.warning("sequence.gap_told", producer=gap.producer_id, first=gap.first, last=gap.last)
        for producer_id, incident_id in await list_gap_incidents(self._store):
            if await resolve_if_closed(self._store, producer_id, incident_id, now=now):
                log.info("sequence.gap_closed", producer=producer_id, incident=incident_name(incident_id))
        missing = await count_missing(self._store, opened_before=now - self._open)
        self._metrics.sequence_gap_events.set(missing)

    def _opened_before(self, now: datetime) -> datetime:
        """Return the bound on gaps to report; what fills later ones may still wait in a slower lane."""
        bound = now - self._open
        if self._drained_at is None:
            return bound
        return min(bound, max(self._drained_at() or now - BACKLOG_PATIENCE, now - BACKLOG_PATIENCE))


class GapGroup(Struct, frozen=True):
    """The incident that a gap belongs to."""

    fingerprint: list[str]
    message: str


def _of_producer(gap: DueGap) -> GapGroup:
    count = gap.last - gap.first + 1
    which = f"event {gap.first}" if count == 1 else f"events {gap.first} to {gap.last}"
    message = f"{which} of producer {gap.producer_id} ({gap.service}) did not arrive"
    return GapGroup([CODE, gap.producer_id], message)


def _of_crowd(gap: DueGap) -> GapGroup:
    """One for a service's producers that never reported: whoever may publish may invent thousands."""
    message = f"numbered events of many producers of {gap.service} did not arrive"
    return GapGroup([CODE, "many producers", gap.service], message)


def _of_moment(moment: CommonMoment, kept_until: datetime | None) -> GapGroup:
    """One for all producers whose gaps have one cause: a backup was restored, a queue was purged."""
    kept = f"what came after {kept_until:%Y-%m-%d %H:%M:%S} UTC" if kept_until else "all that came"
    begins = f"{moment.begins:%Y-%m-%d %H:%M:%S} UTC"
    missing = f"{kept} and before {begins} is missing, as after a restore"
    return GapGroup(
        [CODE, "several producers", moment.begins.isoformat()],
        f"events of several producers did not arrive: {missing}",
    )


def gap_event(gap: DueGap, group: GapGroup, now: datetime) -> Event:
    """Build the event that reports a gap."""
    return Event(
        id=gap_event_id(gap),
        schema_version=SCHEMA_VERSION,
        occurred_at=now,
        severity=ErrorSeverity.HIGH,
        category=Category.SYSTEM,
        code=CODE,
        service=SERVICE,
        message=group.message,
        context={
            "producer_id": gap.producer_id,
            "service": gap.service,
            "host": gap.host,
            "first": gap.first,
            "last": gap.last,
            "missing": gap.last - gap.first + 1,
            "missing_since": gap.opened_at.isoformat(),
        },
        fingerprint=group.fingerprint,
        scrubbed=True,
        sdk=Sdk(name="faultwire-worker", version=__version__),
    )


def gap_event_id(gap: DueGap) -> str:
    """Make the event's id from the gap: the same gap has the same id in every worker."""
    text = f"{gap.producer_id}\n{gap.first}\n{gap.last}\n{gap.opened_at.isoformat()}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return f"error_{gap.opened_at:%Y%m%d}_{digest[:16]}"
