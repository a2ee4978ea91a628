"""The numbers at the head of every page: what is open, what waits, and what somebody has to look at."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import structs

from faultwire_consumer.store.audit.service_list import count_quiet_services
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.incidents import Totals, count_totals
from faultwire_consumer.store.outbox.queries import count_given_up
from faultwire_consumer.web.state import CLOCK, STORE, Clock

GIVEN_UP_FOR: Final = timedelta(days=7)
"""The time for which what was given up wants somebody."""
QUIET_KEPT: Final = timedelta(seconds=10)
"""The age up to which a count of quiet services will do: a service is called quiet after 90 seconds."""


class QuietServices:
    """Counts the services that went quiet: it looks at every process of a week, so not for each page."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counted_at: datetime | None = None
        self._count = 0

    async def count(self) -> int:
        """Return how many there were at most ten seconds ago.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        now = self._clock()
        if self._counted_at is None or not timedelta() <= now - self._counted_at < QUIET_KEPT:
            self._count = await count_quiet_services(self._store, now=now)
            self._counted_at = now
        return self._count


QUIET_SERVICES: web.AppKey[QuietServices] = web.AppKey("quiet_services")


async def read_totals(request: web.Request) -> Totals:
    """Read the numbers at the head of a page.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    store, since = request.app[STORE], request.app[CLOCK]() - GIVEN_UP_FOR
    totals, given_up, quiet = await asyncio.gather(
        count_totals(store), count_given_up(store, since=since), request.app[QUIET_SERVICES].count()
    )
    return structs.replace(totals, given_up=given_up, quiet=quiet)
