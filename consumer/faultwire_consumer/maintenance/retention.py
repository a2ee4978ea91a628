"""Keeps the database small: deletes what is too old, and the oldest days if it is too large."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.retention import (
    DEAD_LETTERS_SHARE,
    Clocks,
    Floors,
    PruneReason,
    Retention,
    clocks_of,
    floor_by_size,
    floors_by_age,
    judge_passing,
    next_look,
    raise_to,
)
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.upkeep.dead_letter_bytes import bound_dead_letters
from faultwire_consumer.store.upkeep.delete_finished import delete_finished
from faultwire_consumer.store.upkeep.retention import Share, Sleep, oldest_in_quarantine, sum_up
from faultwire_consumer.store.upkeep.retention_looks import (
    newest_day,
    read_database_day,
    read_last_look,
    write_last_look,
)
from faultwire_consumer.store.upkeep.space import list_days, measure_store, weigh_days
from faultwire_shared.clock import Clock
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import register_exception

LEASE: Final = "retention"

ReadDay = Callable[[Store], Awaitable[date | None]]
Tell = Callable[[Exception], object]
"""A callback that gets what an operator has to be told."""

log = get_logger(__name__)


class RetentionHeldError(Exception):
    """A clock's word would take too much at once: an operator has to confirm it."""


register_exception(RetentionHeldError, Category.SYSTEM, code="RETENTION_HELD")


class _Look(Struct, frozen=True, kw_only=True):
    """One look at the store: by which day it goes, and what the clocks say."""

    day: date
    clocks: Clocks
    newest: date | None


async def floors_due(
    store: Store, retention: Retention, *, today: date, newest: date | None = None
) -> Floors:
    """Return the floors by age, only for severities of which something may be below.

    A store that holds nothing that old keeps no floor, so that very late events are accepted.

    Args:
        store: the store.
        retention: its limits.
        today: the day to go by.
        newest: the day of the newest event, which stays with the two before it; None if all may go.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    came = await oldest_in_quarantine(store)
    oldest = min([*await list_days(store), *([came.date()] if came is not None else [])], default=today)
    wanted = floors_by_age(retention.days, today=today, newest=newest)
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
    """Prunes by age, then by size; once a day it also deletes finished rows of other tables.

    Args:
        store: the store to keep small.
        retention: its limits.
        pruner: deletes.
        metrics: counts what was deleted.
        clock: gives the worker's time.
        sleep: waits between batches.
        tell: called with what an operator has to be told, at each look.
        read_day: reads the day by the database's own clock, if it has one.
    """

    def __init__(
        self,
        store: Store,
        retention: Retention,
        pruner: Pruner,
        *,
        metrics: Metrics,
        clock: Clock,
        sleep: Sleep,
        tell: Tell = lambda _: None,
        read_day: ReadDay = read_database_day,
    ) -> None:
        self._store = store
        self._retention = retention
        self._pruner = pruner
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._tell = tell
        self._read_day = read_day
        self._ended_on: date | None = None

    async def enforce(self) -> None:
        """Delete everything beyond the limits, as far as the clocks are to be believed.

        Raises:
            LeaseTakenError: somebody prunes by hand.
            LeaseLostError: another worker prunes now.
            StoreUnavailableError: something is in the way; what is deleted by then stays deleted.
        """
        look = await self._look()
        wanted = await floors_due(self._store, self._retention, today=look.day, newest=look.newest)
        self._report(await self._pruner.prune(wanted, clocks=look.clocks), PruneReason.AGE)
        if self._retention.max_bytes is not None:
            await self._drop_dead_letters(self._retention.max_bytes // DEAD_LETTERS_SHARE)
            await self._prune_to(self._retention.max_bytes, look)
        if self._ended_on != look.day:
            await self._delete_ended(look.day)
            self._ended_on = look.day

    async def _look(self) -> _Look:
        """Decide which day to go by, and remember it for the next look."""
        said = [self._clock().date(), await self._read_day(self._store)]
        clocks = clocks_of(day for day in said if day is not None)
        newest, last = await newest_day(self._store), await read_last_look(self._store)
        if last is not None and last > clocks.latest:
            last = None  # a clock was ahead at that look
        stored = await list_days(self._store)
        passing = judge_passing(
            stored, self._retention.days, today=clocks.earliest, last_look=last, newest=newest
        )
        if passing.asked:
            self._ask(passing.asked, stored=len(stored), last=passing.day, today=clocks.earliest)
        if (day := next_look(last, passing.day, clocks)) != last:
            await write_last_look(self._store, day)
        return _Look(day=passing.day, clocks=clocks, newest=newest)

    def _ask(self, due: Sequence[date], *, stored: int, last: date, today: date) -> None:
        log.error(
            "retention.held",
            days=len(due),
            of=stored,
            first_day=str(due[0]),
            last_day=str(due[-1]),
            last_look=str(last),
            today=str(today),
        )
        self._tell(
            RetentionHeldError(
                "nothing more is deleted by age: too many days have passed at once; set the clock right, "
                "or if it is right let `faultwire db prune` delete what it shows"
            )
        )

    async def _prune_to(self, max_bytes: int, look: _Look) -> None:
        """Delete the oldest days until the store is below its bound; each round deletes at least one."""
        before: date | None = None
        while True:
            size = await measure_store(self._store)
            excess = size.bytes - size.free_bytes - max_bytes
            if excess <= 0:
                return
            days = await weigh_days(self._store)
            floor = floor_by_size(days, excess=excess, today=look.day, newest=look.newest)
            if floor is None or floor == before:
                log.warning("retention.bound_missed", bytes=size.bytes, bound=max_bytes)
                return
            before = floor
            wanted = dict.fromkeys(ErrorSeverity, floor)
            self._report(await self._pruner.prune(wanted, clocks=look.clocks), PruneReason.SIZE)

    async def _drop_dead_letters(self, max_bytes: int) -> None:
        dropped = await bound_dead_letters(self._store, max_bytes, sleep=self._sleep)
        if not dropped.bytes:
            return
        self._metrics.rows_pruned.labels(table="dead_letters").inc(dropped.settled + dropped.waiting)
        log.warning(
            "retention.dead_letters_dropped",
            bound=max_bytes,
            bytes=dropped.bytes,
            waiting=dropped.waiting,
            settled=dropped.settled,
            bodies_of_settled=dropped.bodies,
        )

    async def _delete_ended(self, today: date) -> None:
        midnight = datetime.combine(today, time(), UTC)
        gone = await delete_finished(
            self._store,
            finished_before=midnight - timedelta(days=self._retention.ended_days),
            hours_before=midnight - timedelta(days=self._retention.hourly_days),
            now=midnight,
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
