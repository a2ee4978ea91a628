"""Tells operators of numbered events that do not arrive, and takes it back when they come late.

Needs no lease: the event that tells of a gap has an id made of the gap, so that two workers, or
one that died half-way, tell of it once.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.gaps import (
    DueGap,
    count_missing,
    list_due_gaps,
    list_gap_incidents,
    record_gap_event,
    resolve_if_closed,
)
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_shared import __version__, codec
from faultwire_shared.clock import Clock
from faultwire_shared.event import SCHEMA_VERSION, Category, ErrorSeverity, Event, Sdk
from faultwire_shared.logging.logs import get_logger

OPEN_SECONDS: Final = 30.0
"""So long a number may be missing before it is told: other lanes and retries are slower than one lane."""
LOOK_SECONDS: Final = 5.0
SERVICE: Final = "faultwire"
CODE: Final = "SEQUENCE_GAP"
BACKLOG_PATIENCE: Final = timedelta(minutes=10)
"""So long a lane that is never drained holds the telling up: what is missing may still wait in it."""
ORIGIN: Final = "maintenance"

Ingest = Callable[[bytes], Awaitable[bool]]
"""Puts an event's body through the normal path; whether it is kept now."""

log = get_logger(__name__)


class GapWatch:
    """Looks for gaps that stay open, and for those that closed."""

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

    async def run(self) -> None:
        """Look every few seconds until cancelled; a store that is away is asked again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane=ORIGIN, why=str(error))

    async def look(self) -> None:
        """Tell of what is due, resolve what has closed, and measure.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        now = self._clock()
        for gap in await list_due_gaps(self._store, opened_before=self._opened_before(now), now=now):
            event = gap_event(gap, now)
            if await self._ingest(codec.encode(event)):
                await record_gap_event(self._store, gap, event.id, now=now)
                log.warning("sequence.gap_told", producer=gap.producer_id, first=gap.first, last=gap.last)
        for producer_id, incident_id in await list_gap_incidents(self._store):
            if await resolve_if_closed(self._store, producer_id, incident_id, now=now):
                log.info("sequence.gap_closed", producer=producer_id, incident=incident_name(incident_id))
        missing = await count_missing(self._store, opened_before=now - self._open)
        self._metrics.sequence_gap_events.set(missing)

    def _opened_before(self, now: datetime) -> datetime:
        """Gaps that opened later may be told of another time: what fills them may wait in a slower lane."""
        bound = now - self._open
        if self._drained_at is None:
            return bound
        return min(bound, max(self._drained_at() or now - BACKLOG_PATIENCE, now - BACKLOG_PATIENCE))


def gap_event(gap: DueGap, now: datetime) -> Event:
    """The event that tells of a gap; incidents of it are one for each producer."""
    count = gap.last - gap.first + 1
    which = f"event {gap.first}" if count == 1 else f"events {gap.first} to {gap.last}"
    return Event(
        id=gap_event_id(gap),
        schema_version=SCHEMA_VERSION,
        occurred_at=now,
        severity=ErrorSeverity.HIGH,
        category=Category.SYSTEM,
        code=CODE,
        service=SERVICE,
        message=f"{which} of producer {gap.producer_id} ({gap.service}) did not arrive",
        context={
            "producer_id": gap.producer_id,
            "service": gap.service,
            "host": gap.host,
            "first": gap.first,
            "last": gap.last,
            "missing": count,
            "missing_since": gap.opened_at.isoformat(),
        },
        fingerprint=[CODE, gap.producer_id],
        scrubbed=True,
        sdk=Sdk(name="faultwire-worker", version=__version__),
    )


def gap_event_id(gap: DueGap) -> str:
    """The same for the same gap, whoever tells of it."""
    text = f"{gap.producer_id}\n{gap.first}\n{gap.last}\n{gap.opened_at.isoformat()}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return f"error_{gap.opened_at:%Y%m%d}_{digest[:16]}"
