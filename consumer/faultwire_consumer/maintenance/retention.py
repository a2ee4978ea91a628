"""Keeps the database small: deletes what is too old, and the oldest days if it is too large."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from faultwire_consumer.domain.retention import (
    Floors,
    PruneReason,
    Retention,
    floor_by_size,
    floors_by_age,
    raise_to,
)
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.upkeep.delete_finished import delete_finished
from faultwire_consumer.store.upkeep.retention import Share, Sleep, oldest_in_quarantine, sum_up
from faultwire_consumer.store.upkeep.space import list_days, measure_store, weigh_days
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "retention"

log = get_logger(__name__)


async def floors_due(store: Store, retention: Retention, *, today: date) -> Floors:
    """Return the floors by age, only for severities of which something may be below.

    A store that holds nothing that old keeps no floor, so that very late events are accepted.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    came = await oldest_in_quarantine(store)
    oldest = min([*await list_days(store), *([came.date()] if came is not None else [])], default=today)
    wanted = floors_by_age(retention.days, today=today)
    return {severity: floor for severity, floor in wanted.items() if oldest < floor}


async def floors_wanted(store: Store, retention: Retention, *, today: date) -> Floors:
    """Return the floors by age and by size at once, for pruning by hand.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    wanted = await floors_due(store, retention, today=today)
    if retention.max_bytes is None:
        return wanted
    size = await measure_store(store)
    excess = size.bytes - size.free_bytes - retention.max_bytes
    floor = floor_by_size(await weigh_days(store), excess=excess, today=today) if excess > 0 else None
    return wanted if floor is None else raise_to(wanted, dict.fromkeys(ErrorSeverity, floor))


class RetentionKeeper:
    """Prunes by age, then by size; once a day it also deletes finished rows of other tables."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        pruner: Pruner,
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._store = store
        self._retention = retention
        self._pruner = pruner
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._ended_on: date | None = None

    async def enforce(self) -> None:
        """Delete everything beyond the limits.

        Raises:
            LeaseTakenError: somebody prunes by hand.
            LeaseLostError: another worker prunes now.
            StoreUnavailableError: something is in the way; what is deleted by then stays deleted.
        """
        today = self._clock().date()
        wanted = await floors_due(self._store, self._retention, today=today)
        self._report(await self._pruner.prune(wanted), PruneReason.AGE)
        if self._retention.max_bytes is not None:
            await self._prune_to(self._retention.max_bytes, today)
        if self._ended_on != today:
            await self._delete_ended(today)
            self._ended_on = today

    async def _prune_to(self, max_bytes: int, today: date) -> None:
        """Delete the oldest days until the store is below its bound; each round deletes at least one."""
        while True:
            size = await measure_store(self._store)
            excess = size.bytes - size.free_bytes - max_bytes
            if excess <= 0:
                return
            floor = floor_by_size(await weigh_days(self._store), excess=excess, today=today)
            if floor is None:
                log.warning("retention.bound_missed", bytes=size.bytes, bound=max_bytes)
                return
            self._report(await self._pruner.prune(dict.fromkeys(ErrorSeverity, floor)), PruneReason.SIZE)

    async def _delete_ended(self, today: date) -> None:
        midnight = datetime.combine(today, time(), UTC)
        gone = await delete_finished(
            self._store,
            finished_before=midnight - timedelta(days=self._retention.ended_days),
            hours_before=midnight - timedelta(days=self._retention.hourly_days),
            sleep=self._sleep,
        )
        for table, rows in gone.items():
            self._metrics.rows_pruned.labels(table=table).inc(rows)

    def _report(self, shares: Sequence[Share], reason: PruneReason) -> None:
        if not shares:
            return
        rows = sum_up(shares)
        for severity, count in rows.items():
            self._metrics.events_pruned.labels(severity=severity, reason=reason).inc(count)
        days = sorted({share.day for share in shares})
        log.info(
            "retention.pruned",
            reason=reason,
            rows=sum(rows.values()),
            bytes=sum(share.bytes for share in shares),
            first_day=str(days[0]),
            last_day=str(days[-1]),
        )
