"""What is too old goes, the space comes back, and nothing that comes again is counted twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs
from tests.tools.aged import SEVERITIES, event_of, fill, ingest, kept, pipeline_of, totals
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.domain.outcome import DeadLettered, Duplicate, Outcome, Stored, StoreReason
from faultwire_consumer.domain.retention import Floors, Retention
from faultwire_consumer.ingest.retention_boundary import RetentionBoundary
from faultwire_consumer.maintenance.pruning import LEASE, Pruner, survey
from faultwire_consumer.maintenance.retention import RetentionHeldError, RetentionKeeper, Tell, floors_wanted
from faultwire_consumer.maintenance.store_size import StoreSizeWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.postgresql.partition import list_partitions
from faultwire_consumer.store.schema.events import edge_bodies, events, incidents
from faultwire_consumer.store.schema.upkeep import retention_floors
from faultwire_consumer.store.upkeep.leases import Lease, LeaseTakenError, acquire_lease
from faultwire_consumer.store.upkeep.retention_floors import hold_floors, read_floors
from faultwire_consumer.store.upkeep.space import measure_store, rewrite_file
from faultwire_shared.event import ErrorSeverity

LOW, MEDIUM, HIGH, CRITICAL = ErrorSeverity

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def pruner_of(store: Store, clock: FixedClock) -> Pruner:
    return Pruner(store, "ada", clock=clock, sleep=no_sleep)


def floors_of(clock: FixedClock, **days: int) -> Floors:
    return {ErrorSeverity(name): clock().date() - timedelta(days=count) for name, count in days.items()}


def all_of(clock: FixedClock, days: int) -> Floors:
    return floors_of(clock, **dict.fromkeys((one.value for one in SEVERITIES), days))


def keeper_of(
    store: Store,
    clock: FixedClock,
    metrics: Metrics | None = None,
    *,
    tell: Tell = lambda _: None,
    database_clock: FixedClock | None = None,
    **fields: Any,
) -> RetentionKeeper:
    days = {one: fields.pop(one.value, 10) for one in SEVERITIES}

    async def read_day(_: Store) -> date | None:
        return None if database_clock is None else database_clock().date()

    return RetentionKeeper(
        store,
        Retention(days=days, **fields),
        pruner_of(store, clock),
        metrics=metrics or Metrics(),
        clock=clock,
        sleep=no_sleep,
        tell=tell,
        read_day=read_day,
    )


def reasons_of(outcomes: list[Outcome]) -> list[str]:
    return [one.reason if isinstance(one, DeadLettered) else type(one).__name__ for one in outcomes]


@pytest.fixture
async def another(store: Store, database_url: str) -> AsyncIterator[Store]:
    """Another worker's store on PostgreSQL; a SQLite file has one."""
    opened = store if store.name == "sqlite" else await open_store(database_url)
    yield opened
    if opened is not store:
        await opened.close()


async def test_by_age_each_severity_keeps_its_own_days_and_totals_stay(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[1, 4, 8, 20])
    metrics = Metrics()
    await keeper_of(store, clock, metrics, low=3, medium=6).enforce()
    assert await kept(store) == {"11-15": [0, 0, 1, 1], "11-19": [0, 1, 1, 1], "11-22": [1, 1, 1, 1]}
    assert await totals(store) == (16, 16)
    pruned = {
        severity: metrics.registry.get_sample_value(
            "faultwire_events_pruned_total", {"severity": severity, "reason": "age"}
        )
        for severity in SEVERITIES
    }
    assert pruned == {LOW: 3, MEDIUM: 2, HIGH: 1, CRITICAL: 1}
    clock.advance(timedelta(days=1))
    await keeper_of(store, clock, low=3, medium=6).enforce()
    assert "11-15" in await kept(store)
    for _ in range(4):
        clock.advance(timedelta(days=7))
        await keeper_of(store, clock).enforce()
    assert await kept(store) == {}, "also where nothing newer comes"
    assert await totals(store) == (16, 16)


async def test_what_comes_again_after_its_day_went_is_a_dead_letter_and_counts_nothing(
    store: Store, clock: FixedClock
) -> None:
    given = await fill(store, clock, days=[3, 8, 20])
    await keeper_of(store, clock, low=5).enforce()
    with capture_logs() as logs:
        outcomes = await ingest(pipeline_of(store, clock), given)
    gone, part, whole = ["past_retention"] * 4, ["past_retention", *["Duplicate"] * 3], ["Duplicate"] * 4
    assert reasons_of(outcomes) == [*gone, *part, *whole]
    assert await totals(store) == (12, 12)
    detail = next(one["detail"] for one in logs if one["event"] == "delivery.dead_lettered")
    assert "low events are kept from 2026-11-18 on" in detail
    assert "publish it again under an id of today" in detail
    late = [event_of(clock() - timedelta(days=8), HIGH), event_of(clock() - timedelta(days=8), LOW)]
    assert reasons_of(await ingest(pipeline_of(store, clock), late)) == ["Stored", "past_retention"]


async def test_a_store_in_which_nothing_is_old_takes_in_what_comes_very_late(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[0, 2])
    await keeper_of(store, clock).enforce()
    assert await read_floors(store) == {}
    (outcome,) = await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=200))])
    assert isinstance(outcome, Stored)


async def test_the_quarantine_goes_by_when_its_events_came(store: Store, clock: FixedClock) -> None:
    pipeline, now = pipeline_of(store, clock), clock()
    old, ahead = event_of(now - timedelta(days=90)), event_of(now + timedelta(days=15))

    async def pass_days(days: int) -> list[int] | None:
        """By a look a day, with an event of each; return what is left in the quarantine."""
        for _ in range(days):
            clock.advance(timedelta(days=1))
            await ingest(pipeline, [event_of(clock())])
            await keeper_of(store, clock).enforce()
        return (await kept(store)).get("quarantine")

    await ingest(pipeline, [old, ahead])
    assert await pass_days(9) == [0, 0, 2, 0]
    assert await pass_days(2) == [0, 0, 1, 0], "the other's day is not below its floor"
    again = await ingest(pipeline_of(store, clock), [old, ahead])
    assert reasons_of(again) == ["past_retention", "Duplicate"]
    assert await pass_days(15) is None
    again = await ingest(pipeline_of(store, clock), [old, ahead])
    assert reasons_of(again) == ["past_retention"] * 2
    assert await totals(store) == (28, 28)


async def test_a_clock_that_is_ahead_deletes_nothing_and_an_operator_is_asked(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[0, 1, 2, 3, 9])
    before, told = await kept(store), list[Exception]()
    await keeper_of(store, clock).enforce()
    clock.advance(timedelta(days=200))
    for _ in range(2):
        with capture_logs() as logs:
            await keeper_of(store, clock, tell=told.append, hourly_days=100).enforce()
        assert [one["days"] for one in logs if one["event"] == "retention.held"] == [5]
    assert [type(one) for one in told] == [RetentionHeldError] * 2
    clock.advance(timedelta(days=-200))
    await keeper_of(store, clock, tell=told.append).enforce()
    assert await kept(store) == before
    assert await totals(store) == (20, 20), "the counters behind the charts stay too"
    (late,) = await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=8))])
    assert isinstance(late, Stored)
    assert len(told) == 2, "the right clock goes on by itself"
    clock.advance(timedelta(days=1))
    await keeper_of(store, clock, tell=told.append).enforce()
    assert len(await kept(store)) == len(before) + 1


async def test_a_database_from_before_the_first_look_is_not_emptied_by_it(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[0])
    before = await kept(store)
    clock.advance(timedelta(days=200))
    await keeper_of(store, clock).enforce()
    assert await kept(store) == before


async def test_a_clock_some_days_ahead_leaves_the_newest_days_alone(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[0, 1, 2, 3])
    await keeper_of(store, clock, low=2).enforce()
    clock.advance(timedelta(days=6))
    await keeper_of(store, clock, low=2, max_bytes=1).enforce()
    assert list(await kept(store)) == ["11-21", "11-22", "11-23"]


async def test_the_slower_of_two_clocks_deletes(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[0, 4, 9])
    ahead = FixedClock(clock() + timedelta(days=7))
    await keeper_of(store, clock).enforce()
    await keeper_of(store, ahead, database_clock=clock).enforce()
    await keeper_of(store, clock, database_clock=ahead).enforce()
    assert list(await kept(store)) == ["11-14", "11-19", "11-23"]


async def test_a_floor_ahead_deletes_and_refuses_nothing_and_is_lowered_once(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[0, 1, 6, 20])
    async with store.write() as tx:
        ahead = {"day": clock().date() + timedelta(days=110), "raised_at": clock()}
        await tx.execute(
            retention_floors.insert(), [ahead | {"severity": severity.rank} for severity in SEVERITIES]
        )
    pipeline = pipeline_of(store, clock)
    (late,) = await ingest(pipeline, [event_of(clock() - timedelta(days=6))])
    assert isinstance(late, Stored)
    lowered = []
    for _ in range(2):
        with capture_logs() as logs:
            await keeper_of(store, clock).enforce()
        lowered += [one["were"] for one in logs if one["event"] == "retention.floors_lowered"]
    assert lowered == [dict.fromkeys((str(one) for one in SEVERITIES), "2027-03-13")]
    assert await read_floors(store) == all_of(clock, 10)
    assert list(await kept(store)) == ["11-17", "11-22", "11-23"]
    late_ones = [event_of(clock() - timedelta(days=days)) for days in (6, 11)]
    assert reasons_of(await ingest(pipeline, late_ones)) == ["Stored", "past_retention"]


async def test_floors_ahead_of_a_store_without_old_events_are_removed(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[0, 1])
    async with store.write() as tx:
        floor = {"severity": 4, "day": clock().date(), "raised_at": clock()}
        await tx.execute(retention_floors.insert(), floor)
    await pruner_of(store, clock).prune({})
    assert await read_floors(store) == {}
    assert len(await kept(store)) == 2


async def test_a_look_by_a_clock_that_was_ahead_holds_nobody_up_later(
    store: Store, clock: FixedClock
) -> None:
    ahead, told = FixedClock(clock() + timedelta(days=200)), list[Exception]()
    await keeper_of(store, ahead).enforce()
    await keeper_of(store, clock).enforce()
    await fill(store, clock, days=[0, 20])
    await keeper_of(store, clock, tell=told.append).enforce()
    assert (list(await kept(store)), told) == (["11-23"], [])


async def test_by_size_the_oldest_days_go_until_the_store_is_below_its_bound(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[1, 5, 6, 7, 8], each=60, padding=4000)
    before = await measure_store(store)
    # What is not events takes its part: two of the five days' worth is to go.
    per_day = 60 * 4 * 4600
    metrics = Metrics()
    keeper = keeper_of(store, clock, metrics, max_bytes=before.bytes - per_day)
    await keeper.enforce()
    after = await measure_store(store)
    assert after.bytes - after.free_bytes <= before.bytes - per_day
    days = list(await kept(store))
    assert days == ["11-15", "11-16", "11-17", "11-18", "11-22"][-len(days) :], "the oldest go first"
    assert 1 < len(days) < 5
    value = metrics.registry.get_sample_value(
        "faultwire_events_pruned_total", {"severity": "low", "reason": "size"}
    )
    assert value == 60 * (5 - len(days))
    assert await totals(store) == (1200, 1200)
    (outcome,) = await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=8))])
    assert isinstance(outcome, DeadLettered)
    assert outcome.reason is StoreReason.PAST_RETENTION


async def test_a_bound_below_the_last_days_is_missed_and_told(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[0, 1, 2, 3])
    with capture_logs() as logs:
        await keeper_of(store, clock, max_bytes=1).enforce()
    assert list(await kept(store)) == ["11-21", "11-22", "11-23"]
    assert "retention.bound_missed" in [one["event"] for one in logs]


async def test_the_space_of_what_is_gone_is_the_disk_s_again(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[1, 6, 8, 20], each=60, padding=4000)
    full = await measure_store(store)
    await pruner_of(store, clock).prune(all_of(clock, 10))
    dropped = await measure_store(store)
    assert dropped.bytes < full.bytes * 0.85, "a whole day of four is gone"
    await pruner_of(store, clock).prune(floors_of(clock, low=2, medium=2, high=2))
    mostly = await measure_store(store)
    assert mostly.bytes < dropped.bytes * 0.65, "three of four severities of two days of three are gone"
    assert mostly.free_bytes == 0
    metrics = Metrics()
    await StoreSizeWatch(store, metrics=metrics).measure()
    assert metrics.registry.get_sample_value("faultwire_store_bytes") == mostly.bytes
    oldest = metrics.registry.get_sample_value("faultwire_store_oldest_day_timestamp_seconds")
    assert oldest == (clock() - timedelta(days=8)).replace(hour=0).timestamp()


async def test_ingest_goes_on_while_rows_are_deleted(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[6], each=700)
    pipeline, done = pipeline_of(store, clock), asyncio.Event()
    during = 0

    async def keep_ingesting() -> None:
        nonlocal during
        while not done.is_set():
            outcomes = await ingest(
                pipeline, [event_of(clock()), event_of(clock() - timedelta(days=6), CRITICAL)]
            )
            assert all(isinstance(one, Stored) for one in outcomes)
            during += 1

    async def wait_for_one_more(_: float) -> None:
        """Between two batches of the prune, as its pause does."""
        seen = during

        async def is_one_more() -> bool:
            return during > seen

        await until(is_one_more, "events are stored between two batches of deleted rows")

    ingesting = asyncio.create_task(keep_ingesting())
    pruner = Pruner(store, "ada", clock=clock, sleep=wait_for_one_more)
    pruned = await pruner.prune(floors_of(clock, low=2))
    done.set()
    await ingesting
    assert sum(one.rows for one in pruned) == 700
    assert (await kept(store))["11-17"] == [0, 700, 700, 700 + during]
    assert await totals(store) == (2800 + 2 * during, 2800 + 2 * during)


async def test_a_batch_that_was_sieved_before_the_floor_rose_counts_nothing_twice(
    store: Store, another: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await fill(store, clock, days=[1, 6])
    verify, pruned = RetentionBoundary.verify, False

    async def prune_first(self: RetentionBoundary, tx: Any, rows: Any) -> None:
        """On PostgreSQL between the batch's sieve and its verification, in its own transaction."""
        nonlocal pruned
        if not pruned and store.name == "postgresql":
            pruned = True
            await pruner_of(another, clock).prune(all_of(clock, 3))
        await verify(self, tx, rows)

    monkeypatch.setattr(RetentionBoundary, "verify", prune_first)
    pipeline = pipeline_of(store, clock)
    assert reasons_of(await ingest(pipeline, given[4:])) == ["Duplicate"] * 4, "the usual batch"
    if store.name == "sqlite":  # which has no two transactions at once: the floor is read, then it rises
        await ingest(pipeline, given[:1])
        await pruner_of(store, clock).prune(all_of(clock, 3))
    assert reasons_of(await ingest(pipeline, given)) == ["past_retention"] * 4 + ["Duplicate"] * 4
    assert await totals(store) == (8, 8)


async def test_no_floor_rises_while_a_late_batch_is_under_way(
    store: Store, another: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[1, 6])
    async with store.write() as tx:
        assert await hold_floors(tx) == {}
        pruning = asyncio.create_task(pruner_of(another, clock).prune(all_of(clock, 3)))
        await asyncio.sleep(0.1)
        assert not pruning.done()
        assert [one.day for one in await tx_days(tx)] == [date(2026, 11, 17), date(2026, 11, 22)]
    await pruning
    assert list(await kept(store)) == ["11-22"]


async def tx_days(tx: Any) -> Any:
    statement = events.select().with_only_columns(events.c.occurred_day.label("day"))
    return await tx.execute(statement.distinct().order_by(events.c.occurred_day))


async def test_what_goes_is_given_back_to_its_incident_s_budget_of_bodies(
    store: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[1, 6, 8], each=4)
    await put_edges(store, clock)
    await pruner_of(store, clock).prune(floors_of(clock, low=3, medium=7, high=7, critical=7))
    rows = await store.read(select(incidents.c.severity, incidents.c.bodies).order_by(incidents.c.severity))
    assert [tuple(row) for row in rows] == [(1, 4), (2, 8), (3, 8), (4, 8)]
    edges = await store.read(select(edge_bodies.c.edge))
    assert [row.edge for row in edges] == ["last"], "the day of the first is gone"


async def put_edges(store: Store, clock: FixedClock) -> None:
    first, last = clock() - timedelta(days=8), clock() - timedelta(days=1)
    rows = [
        {
            "fingerprint": b"x",
            "edge": edge,
            "occurred_day": at.date(),
            "event_id": "error_20261122_abcdef",
            "occurred_at": at,
            "doc_codec": 0,
            "doc": b"{}",
        }
        for edge, at in (("first", first), ("last", last))
    ]
    async with store.write() as tx:
        await tx.execute(edge_bodies.insert(), rows)


async def test_two_do_not_prune_at_once(store: Store, clock: FixedClock) -> None:
    await acquire_lease(store, LEASE, "bob", now=clock())
    with pytest.raises(LeaseTakenError):
        await pruner_of(store, clock).prune(all_of(clock, 3))


async def test_a_survey_says_what_a_prune_then_takes(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[1, 4, 8], each=3)
    await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=80))])
    clock.advance(timedelta(days=5))
    wanted = floors_of(clock, low=2, medium=2, high=2, critical=10)
    before = await kept(store)
    told = await survey(store, wanted, now=clock())
    assert await kept(store) == before
    assert await read_floors(store) == {}
    assert await pruner_of(store, clock).prune(wanted) == told
    assert sum(one.rows for one in told) == 9 + 9 + 12 + 1
    assert await pruner_of(store, clock).prune(wanted) == []


async def test_age_and_size_together_are_what_a_prune_by_hand_takes(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[1, 6, 20], each=50, padding=1000)
    size = await measure_store(store)
    by_age = Retention(days=dict.fromkeys(SEVERITIES, 10))
    assert await floors_wanted(store, by_age, today=clock().date()) == all_of(clock, 10)
    by_size = Retention(days=dict.fromkeys(SEVERITIES, 10), max_bytes=1)
    assert size.bytes > 1
    assert await floors_wanted(store, by_size, today=clock().date()) == all_of(clock, 5)


@on_postgresql
async def test_a_long_query_holds_a_drop_up_and_nobody_else(
    store: Store, another: Store, clock: FixedClock
) -> None:
    await fill(store, clock, days=[1, 6])
    async with another.write() as reader:
        await reader.execute(text("SELECT count(*) FROM faultwire.events"))
        with pytest.raises(StoreUnavailableError):
            await pruner_of(store, clock).prune(all_of(clock, 3))
        outcomes = await ingest(pipeline_of(store, clock), [event_of(clock())])
        assert isinstance(outcomes[0], Stored)
        (late,) = await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=6))])
        assert isinstance(late, DeadLettered)
    clock.advance(120)
    await pruner_of(store, clock).prune(all_of(clock, 3))
    assert [one.day for one in await list_partitions(store)] == [date(2026, 11, 22), date(2026, 11, 23)]
    again = await ingest(pipeline_of(store, clock), [event_of(clock() - timedelta(days=1))])
    assert not isinstance(again[0], Duplicate)


@on_postgresql
async def test_a_day_that_a_batch_made_anew_goes_with_the_next_prune(store: Store, clock: FixedClock) -> None:
    await fill(store, clock, days=[1, 6])
    await pruner_of(store, clock).prune(all_of(clock, 3))
    await store.prepare_days(frozenset([clock().date() - timedelta(days=5)]))
    await pruner_of(store, clock).prune({})
    assert [one.day for one in await list_partitions(store)] == [date(2026, 11, 22)]


@pytest.mark.may_block("makes a file as earlier versions did")
@on_sqlite
async def test_a_file_that_was_made_before_it_could_shrink_is_written_anew(
    database_url: str, tmp_path: Path, clock: FixedClock
) -> None:
    make_old_file(tmp_path / "faultwire.db")
    store = await open_store(database_url)
    try:
        await fill(store, clock, days=[1, 6], each=400, padding=1000)
        await pruner_of(store, clock).prune(all_of(clock, 3))
        size = await measure_store(store)
        assert size.free_bytes > 0
        assert not size.shrinks
        await rewrite_file(store)
        anew = await measure_store(store)
        assert anew.shrinks
        assert anew.free_bytes == 0
        assert (tmp_path / "faultwire.db").stat().st_size == anew.bytes < size.bytes * 0.8
    finally:
        await store.close()


def make_old_file(path: Path) -> None:
    """As earlier versions made it."""
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE old (x)")
    connection.execute("DROP TABLE old")
    connection.close()


@on_sqlite
async def test_a_sqlite_file_s_leases_end_with_the_worker_that_owned_it(
    database_url: str, clock: FixedClock
) -> None:
    store = await open_store(database_url)
    assert await acquire_lease(store, LEASE, "ada", now=clock()) == Lease(LEASE, "ada", 1)
    await store.close()
    heir = await open_store(database_url)
    assert await acquire_lease(heir, LEASE, "bob", now=clock()) == Lease(LEASE, "bob", 2)
    await heir.close()
