"""Raises the floors and takes what is below them: by a worker's chore, or by hand. One at a time.

May be cut short anywhere and done again: the floor stands first, what is below it is found anew, and
how far the store is cleared is written down last.
"""

import asyncio
from datetime import datetime
from typing import Final

from faultwire_consumer.domain.retention import Floors, FloorStatus, plan_cuts, raise_to
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import QUARANTINE_DAY
from faultwire_consumer.store.upkeep.give_back_bodies import delete_edge_bodies
from faultwire_consumer.store.upkeep.leases import (
    Lease,
    LeaseTakenError,
    acquire_lease,
    release_lease,
    run_holding,
)
from faultwire_consumer.store.upkeep.retention import (
    ReportDeleted,
    Share,
    Sleep,
    clear_quarantine,
    make_cut,
    survey_cut,
    survey_quarantine,
)
from faultwire_consumer.store.upkeep.retention_floors import mark_cleared, raise_floors, read_floor_statuses
from faultwire_consumer.store.upkeep.space import give_space_back, list_days
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failpoint import failpoint

LEASE: Final = "pruning"


async def survey(store: Store, wanted: Floors, *, now: datetime) -> list[Share]:
    """What would go if the floors were raised to these, or what is left to go of an earlier time.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    before = await read_floor_statuses(store)
    floors = raise_to({severity: one.day for severity, one in before.items()}, wanted)
    standing = {
        severity: FloorStatus(day, before[severity].cleared_to if severity in before else None)
        for severity, day in floors.items()
    }
    cuts = plan_cuts(await list_days(store), standing)
    shares = [share for cut in cuts for share in await survey_cut(store, cut)]
    return shares + await survey_quarantine(store, floors, now=now)


class Pruner:
    """Prunes a store for one holder.

    Args:
        store: what to prune.
        holder: who does it; no two processes may have one name.
        clock: gives the time.
        sleep: waits between batches, so that ingest goes on.
    """

    def __init__(
        self,
        store: Store,
        holder: str,
        *,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._holder = holder
        self._clock = clock
        self._sleep = sleep

    async def prune(self, wanted: Floors, *, tell: ReportDeleted = lambda _: None) -> list[Share]:
        """Raise the floors and take everything below them; what went.

        Args:
            wanted: the floors; those that stand higher stay.
            tell: is told of so many more rows that are gone.

        Raises:
            LeaseTakenError: somebody else does it now.
            LeaseLostError: this took so long without the database that somebody else does it by now.
            StoreUnavailableError: something is in the way; go on later.
        """
        lease = await acquire_lease(self._store, LEASE, self._holder, now=self._clock())
        if lease is None:
            raise LeaseTakenError("another worker or command prunes this database now")
        pruned = await run_holding(self._store, lease, self._prune(wanted, lease, tell), clock=self._clock)
        await release_lease(self._store, lease, now=self._clock())
        return pruned

    async def _prune(self, wanted: Floors, lease: Lease, tell: ReportDeleted) -> list[Share]:
        now = self._clock()
        await raise_floors(self._store, wanted, lease=lease, now=now)
        failpoint("prune.raised")
        standing = await read_floor_statuses(self._store)
        cuts = plan_cuts(await list_days(self._store), standing)
        shares = []
        for cut in cuts:
            shares += await make_cut(self._store, cut, report=tell, sleep=self._sleep)
        floors = {severity: one.day for severity, one in standing.items()}
        quarantined = await clear_quarantine(self._store, floors, now=now, report=tell, sleep=self._sleep)
        if cuts and len(floors) == len(ErrorSeverity):
            await delete_edge_bodies(self._store, before=min(floors.values()))
        failpoint("prune.deleted")
        cut_days = [cut.day for cut in cuts if not cut.is_whole]
        if quarantined:
            cut_days.append(QUARANTINE_DAY)
        await give_space_back(self._store, cut_days, sleep=self._sleep)
        failpoint("prune.given_back")
        await mark_cleared(self._store, standing)
        return shares + quarantined
