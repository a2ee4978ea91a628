"""Raises the floors and deletes what is below them: by a worker's chore, or by hand. One at a time.

It may be cut short anywhere and done again: the floor is raised first, what is below it is found again,
and how far the store is cleared is recorded last.
"""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from faultwire_consumer.domain.retention import (
    Clocks,
    Floors,
    FloorStatus,
    clocks_of,
    floors_ahead,
    plan_cuts,
    raise_to,
)
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.search_index import forget_before
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
from faultwire_consumer.store.upkeep.retention_floors import (
    lower_floors,
    mark_cleared,
    raise_floors,
    read_floor_statuses,
)
from faultwire_consumer.store.upkeep.space import give_space_back, list_days
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failpoint import failpoint
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "pruning"

log = get_logger(__name__)


async def survey(store: Store, wanted: Floors, *, now: datetime) -> list[Share]:
    """List what would be deleted if the floors were raised to these, with what is left from an earlier run.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    before = _believed(await read_floor_statuses(store), today=now.date())
    floors = raise_to({severity: status.day for severity, status in before.items()}, wanted)
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
        store: the store to prune.
        holder: unique name of the process that does it.
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

    async def prune(
        self,
        wanted: Floors,
        *,
        clocks: Clocks | None = None,
        on_deleted: ReportDeleted = lambda _: None,
    ) -> list[Share]:
        """Raise the floors and delete everything below them; return what was deleted.

        A floor that lies ahead of all clocks is lowered first.

        Args:
            wanted: the floors; those that are already higher stay.
            clocks: what the clocks say, its own by default.
            on_deleted: called with the number of rows just deleted.

        Raises:
            LeaseTakenError: somebody else prunes now.
            LeaseLostError: the database was away so long that somebody else prunes now.
            StoreUnavailableError: something is in the way; go on later.
        """
        lease = await acquire_lease(self._store, LEASE, self._holder, now=self._clock())
        if lease is None:
            raise LeaseTakenError("another worker or command prunes this database now")
        clocks = clocks or clocks_of([self._clock().date()])
        pruned = await run_holding(
            self._store, lease, self._prune(wanted, clocks, lease, on_deleted), clock=self._clock
        )
        await release_lease(self._store, lease, now=self._clock())
        return pruned

    async def _prune(
        self, wanted: Floors, clocks: Clocks, lease: Lease, on_deleted: ReportDeleted
    ) -> list[Share]:
        now = self._clock()
        await self._lower(wanted, clocks.latest, lease, now)
        await raise_floors(self._store, wanted, lease=lease, now=now)
        failpoint("prune.raised")
        standing = _believed(await read_floor_statuses(self._store), today=clocks.earliest)
        cuts = plan_cuts(await list_days(self._store), standing)
        shares = []
        for cut in cuts:
            shares += await make_cut(self._store, cut, report=on_deleted, sleep=self._sleep)
        floors = {severity: status.day for severity, status in standing.items()}
        quarantined = await clear_quarantine(
            self._store, floors, now=now, report=on_deleted, sleep=self._sleep
        )
        if cuts and len(floors) == len(ErrorSeverity):
            await delete_edge_bodies(self._store, before=min(floors.values()))
            await forget_before(self._store, min(floors.values()), sleep=self._sleep)
        failpoint("prune.deleted")
        cut_days = [cut.day for cut in cuts if not cut.is_whole]
        if quarantined:
            cut_days.append(QUARANTINE_DAY)
        await give_space_back(self._store, cut_days, sleep=self._sleep)
        failpoint("prune.given_back")
        await mark_cleared(self._store, standing)
        return shares + quarantined

    async def _lower(self, wanted: Floors, today: date, lease: Lease, now: datetime) -> None:
        lowered = await lower_floors(self._store, wanted, today=today, lease=lease, now=now)
        if lowered:
            log.warning(
                "retention.floors_lowered",
                were={str(severity): str(day) for severity, day in lowered.items()},
                today=str(today),
            )


def _believed(
    standing: Mapping[ErrorSeverity, FloorStatus], *, today: date
) -> dict[ErrorSeverity, FloorStatus]:
    """Leave out floors that lie ahead of the clock: nothing may be deleted by them."""
    ahead = floors_ahead({severity: status.day for severity, status in standing.items()}, today=today)
    return {severity: status for severity, status in standing.items() if severity not in ahead}
