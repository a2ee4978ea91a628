"""Chores that ask the lanes: what they may conclude depends on what still waits to be taken in."""

from collections.abc import Callable, Sequence
from datetime import datetime

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.maintenance import absence
from faultwire_consumer.maintenance.leased import LeasedChore
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.clock import Clock


def drained_at(lanes: Sequence[LaneLoop]) -> datetime | None:
    """Return since when every lane has had nothing left to do at least once; None if one never had."""
    moments = [lane.drained_at for lane in lanes if lane.lane != DEAD_LANE]
    return min((one for one in moments if one is not None), default=None) if all(moments) else None


def absence_chore(
    store: Store,
    ingest: absence.Ingest,
    policy: Callable[[], Policy],
    lanes: Sequence[LaneLoop],
    *,
    holder: str,
    clock: Clock,
) -> LeasedChore:
    """Build the chore that misses services; while events wait to be taken in it misses none."""

    def is_clear() -> bool:
        moment = drained_at(lanes)
        return moment is not None and clock() - moment < absence.EVERY

    watch = absence.AbsenceWatch(store, ingest, policy, clock=clock, is_clear=is_clear)
    return LeasedChore(store, absence.LEASE, holder, watch.look, clock=clock, every=absence.EVERY)
