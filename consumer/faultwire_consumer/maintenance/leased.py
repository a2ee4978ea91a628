"""A regular chore that one worker does for all."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.upkeep.leases import (
    Lease,
    LeaseLostError,
    LeaseTakenError,
    acquire_lease,
    release_lease,
    run_holding,
)
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

POLL_SECONDS: Final = 20.0
"""A third of a lease's term, so that a held lease is renewed in time."""
EVERY: Final = timedelta(hours=1)
_GOODBYE_SECONDS: Final = 1.0

Chore = Callable[[], Coroutine[Any, Any, None]]

log = get_logger(__name__)


class LeasedChore:
    """Does a chore at once and then regularly, as long as this worker holds the lease for it.

    Args:
        store: where the lease is kept.
        name: of the lease.
        holder: this worker's unique name.
        chore: may be cut short, and done again by the next holder.
        clock: gives the time.
        every: the time from one beginning to the next.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        holder: str,
        chore: Chore,
        *,
        clock: Clock,
        every: timedelta = EVERY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._name = name
        self._holder = holder
        self._chore = chore
        self._clock = clock
        self._every = every
        self._sleep = sleep
        self._lease: Lease | None = None
        self._done_at: datetime | None = None

    async def run(self) -> None:
        """Work until cancelled; retry while the database is away."""
        try:
            while True:
                try:
                    await self.run_once()
                except (StoreUnavailableError, LeaseLostError, LeaseTakenError) as error:
                    log.warning("chore.postponed", chore=self._name, why=str(error))
                await self._sleep(POLL_SECONDS)
        finally:
            await self._give_back()

    async def run_once(self) -> bool:
        """Take or renew the lease, and do the chore if it is due; return True if it was done.

        Raises:
            StoreUnavailableError: the database does not answer now.
            LeaseLostError: another worker has the lease now.
            LeaseTakenError: the chore itself needs another lease, which somebody else has.
        """
        before, now = self._lease, self._clock()
        self._lease = await acquire_lease(self._store, self._name, self._holder, now=now)
        if self._lease is None:
            return False
        # A clock that was ahead and is set back must not put the chore off until then.
        if (
            self._lease == before
            and self._done_at is not None
            and self._done_at <= now < self._done_at + self._every
        ):
            return False
        await run_holding(self._store, self._lease, self._chore(), clock=self._clock)
        self._done_at = now
        return True

    async def _give_back(self) -> None:
        if self._lease is None:
            return
        with suppress(StoreUnavailableError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await release_lease(self._store, self._lease, now=self._clock())
