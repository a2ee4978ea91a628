"""Shows what stands in the store to who watches it from outside."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.upkeep.standing import read_incident_standing, read_standing
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.logging.logs import get_logger

LOOK_SECONDS: Final = 15.0
"""As often as Prometheus usually asks."""
INCIDENTS_EVERY: Final = 4
"""Looks at what is counted by few rows for one at the incidents, which reads each of them."""

log = get_logger(__name__)


class StandingWatch:
    """Counts every few seconds, in every worker: a lease would blind all of them when its holder dies."""

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._looks = 0

    async def run(self) -> None:
        """Count until cancelled; retry while the database is away."""
        while True:
            try:
                await self.look()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="standing", why=str(error))
            await self._sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Count once.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        shown, found = self._metrics.standing, await read_standing(self._store, now=self._clock())
        for status in DeadLetterStatus:
            shown.dead_letters.labels(status).set(found.dead_letters.get(status, 0))
        shown.sequence_gaps.set(found.gaps)
        shown.producers.set(found.producers)
        shown.spooled_events.set(found.spooled)
        if self._looks % INCIDENTS_EVERY == 0:
            await self._look_at_incidents()
        self._looks += 1

    async def _look_at_incidents(self) -> None:
        found = await read_incident_standing(self._store)
        for status in Status:
            for severity in ErrorSeverity:
                count = found.incidents.get((status, severity), 0)
                self._metrics.standing.incidents.labels(status, severity).set(count)
        self._metrics.services.show_last({name: at.timestamp() for name, at in found.last_event_at.items()})
