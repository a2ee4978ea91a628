"""Makes PostgreSQL's partitions before their days begin, so that no batch has to wait for one.

A batch that comes first nevertheless, as after a night without a worker, makes its own.
"""

from datetime import timedelta
from typing import Final

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import DAYS_AHEAD
from faultwire_shared.clock import Clock

LEASE: Final = "partitions"


class PartitionMaker:
    """Makes the partitions of yesterday, today, and the days ahead that events may have."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def make(self) -> None:
        """Make the missing ones.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        today = self._clock().date()
        ahead = range(-1, DAYS_AHEAD + 1)
        await self._store.prepare_days(frozenset(today + timedelta(days=days) for days in ahead))
