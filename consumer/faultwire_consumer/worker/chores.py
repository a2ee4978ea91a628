"""Builds the chores that one worker does for all, each measured and under a lease of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.retention import Retention
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.maintenance import (
    absence,
    auto_resolve,
    body_packing,
    partitions,
    retention,
    search_filling,
)
from faultwire_consumer.maintenance.leased import EVERY, Chore, LeasedChore
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.worker.parts import Part
from faultwire_shared.clock import Clock


class Tending(Struct, frozen=True, kw_only=True):
    """Material of every chore."""

    store: Store
    metrics: Metrics
    holder: str
    """This worker's unique name."""
    clock: Clock

    def leased(self, name: str, lease: str, chore: Chore, *, every: timedelta = EVERY) -> LeasedChore:
        """Return a chore that shows under its name whether it succeeds."""
        measured = self.metrics.state.measured(name, chore)
        return LeasedChore(self.store, lease, self.holder, measured, clock=self.clock, every=every)


def drained_at(lanes: Sequence[LaneLoop]) -> datetime | None:
    """Return since when every lane has had nothing left to do at least once; None if one never had."""
    moments = [lane.drained_at for lane in lanes if lane.lane != DEAD_LANE]
    return min((one for one in moments if one is not None), default=None) if all(moments) else None


def partition_chore(tending: Tending) -> LeasedChore:
    """Build the chore that makes room for the days that come."""
    maker = partitions.PartitionMaker(tending.store, clock=tending.clock)
    return tending.leased("partitions", partitions.LEASE, maker.make)


def auto_resolve_chore(tending: Tending, policy: Callable[[], Policy]) -> LeasedChore:
    """Build the chore that resolves what has been silent for as long as its rule says."""
    resolver = auto_resolve.AutoResolver(tending.store, policy, clock=tending.clock)
    return tending.leased("auto resolve", auto_resolve.LEASE, resolver.resolve)


def search_chore(tending: Tending) -> LeasedChore:
    """Build the chore that makes stored texts findable."""
    filler = search_filling.SearchFiller(tending.store)
    return tending.leased("search filler", search_filling.LEASE, filler.fill, every=search_filling.EVERY)


def retention_chore(tending: Tending, limits: Retention, tell: retention.Tell) -> LeasedChore:
    """Build the chore that deletes what is older than the limits allow; it tells what it will not delete."""
    keeper = retention.RetentionKeeper(
        tending.store,
        limits,
        Pruner(tending.store, tending.holder, clock=tending.clock),
        metrics=tending.metrics,
        clock=tending.clock,
        sleep=asyncio.sleep,
        tell=tell,
    )
    return tending.leased("retention", retention.LEASE, keeper.enforce)


def absence_chore(
    tending: Tending, ingest: absence.Ingest, policy: Callable[[], Policy], lanes: Sequence[LaneLoop]
) -> LeasedChore:
    """Build the chore that misses services; while events wait to be taken in it misses none."""

    def is_clear() -> bool:
        moment = drained_at(lanes)
        return moment is not None and tending.clock() - moment < absence.EVERY

    watch = absence.AbsenceWatch(tending.store, ingest, policy, clock=tending.clock, is_clear=is_clear)
    return tending.leased("absence", absence.LEASE, watch.look, every=absence.EVERY)


def packing_chores(tending: Tending, config: WorkerConfig, packing: Packing) -> Mapping[str, Part]:
    """Build the chores by which bodies are packed, by their names; none where the configuration says so."""
    if config.body_compression == "off":
        return {}
    trainer = body_packing.DictionaryTrainer(tending.store, packing, clock=tending.clock)
    return {
        "packing watch": body_packing.PackingWatch(tending.store, packing),
        "dictionary trainer": tending.leased(
            "dictionary trainer", body_packing.LEASE, trainer.train, every=body_packing.EVERY
        ),
    }
