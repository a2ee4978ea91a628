"""One worker does a chore for all; another one when it is gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from tests.tools.clock import FixedClock
from tests.tools.fakes import BreakableStore
from tests.tools.waiting import until

from faultwire_consumer.maintenance.leased import EVERY, LeasedChore
from faultwire_consumer.maintenance.partitions import PartitionMaker
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.upkeep import leases
from faultwire_consumer.store.upkeep.leases import (
    Lease,
    LeaseLostError,
    acquire_lease,
    check_lease,
    release_lease,
    renew_lease,
    run_holding,
)
from faultwire_shared.logging.log_events import LOG_EVENTS

NAME = "sweeping"


@pytest.fixture
async def others(store: Store, database_url: str) -> AsyncIterator[list[Store]]:
    """Stores of two more workers on PostgreSQL; a SQLite file has one, whose tasks stand for them."""
    opened = [] if store.name == "sqlite" else [await open_store(database_url) for _ in range(2)]
    yield opened or [store, store]
    for one in opened:
        await one.close()


async def let_expire(store: Store, clock: FixedClock) -> None:
    """As if its holder had died a minute ago: by the database's clock, or by ours."""
    if store.name == "sqlite":
        clock.advance(3600)
        return
    async with store.write() as tx:
        await tx.execute(update(leases).values(expires_at=text("now() - interval '1 second'")))


async def test_of_all_who_ask_at_once_one_gets_it(
    store: Store, others: list[Store], clock: FixedClock
) -> None:
    asking = [
        acquire_lease(one, NAME, f"worker {number}", now=clock()) for number, one in enumerate(others * 5)
    ]
    given = [lease for lease in await asyncio.gather(*asking) if lease is not None]
    assert len(given) == 1
    assert given[0].token == 1
    assert await acquire_lease(store, "another", "worker 99", now=clock()), (
        "each chore has a lease of its own"
    )


async def test_its_holder_goes_on_with_the_same_token(store: Store, clock: FixedClock) -> None:
    first = await acquire_lease(store, NAME, "ada", now=clock())
    assert first is not None
    assert await acquire_lease(store, NAME, "ada", now=clock()) == first
    assert await renew_lease(store, first, now=clock())
    assert await acquire_lease(store, NAME, "bob", now=clock()) is None


async def test_a_dead_holder_is_replaced_and_what_it_still_writes_is_void(
    store: Store, clock: FixedClock
) -> None:
    dead = await acquire_lease(store, NAME, "ada", now=clock())
    assert dead is not None
    await let_expire(store, clock)
    heir = await acquire_lease(store, NAME, "bob", now=clock())
    assert heir == Lease(NAME, "bob", dead.token + 1)
    assert not await renew_lease(store, dead, now=clock())
    with pytest.raises(LeaseLostError):
        async with store.write() as tx:
            await check_lease(tx, dead, now=clock())
    async with store.write() as tx:
        await check_lease(tx, heir, now=clock())


async def test_one_that_was_over_is_a_new_one_for_its_old_holder_too(store: Store, clock: FixedClock) -> None:
    old = await acquire_lease(store, NAME, "ada", now=clock())
    await let_expire(store, clock)
    new = await acquire_lease(store, NAME, "ada", now=clock())
    assert old is not None
    assert new is not None
    assert new.token == old.token + 1


async def test_what_is_given_back_is_another_s_at_once(store: Store, clock: FixedClock) -> None:
    lease = await acquire_lease(store, NAME, "ada", now=clock())
    assert lease is not None
    await release_lease(store, lease, now=clock())
    assert await acquire_lease(store, NAME, "bob", now=clock()) == Lease(NAME, "bob", 2)


async def test_work_ends_where_its_lease_is_lost(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.store.upkeep.leases.RENEW_SECONDS", 0.01)
    lease = await acquire_lease(store, NAME, "ada", now=clock())
    assert lease is not None
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    holding = asyncio.create_task(run_holding(store, lease, work(), clock=clock))
    await asyncio.sleep(0)
    await let_expire(store, clock)
    with pytest.raises(LeaseLostError):
        await holding
    assert ended.is_set()


async def test_a_chore_is_done_by_one_worker_at_once_and_every_hour(store: Store, clock: FixedClock) -> None:
    done: list[str] = []

    def chore_of(name: str) -> LeasedChore:
        async def chore() -> None:
            done.append(name)

        return LeasedChore(store, NAME, name, chore, clock=clock)

    ada, bob = chore_of("ada"), chore_of("bob")
    assert await ada.run_once()
    assert not await bob.run_once()
    assert not await ada.run_once(), "an hour has not passed"
    clock.advance(EVERY - timedelta(seconds=1))
    if store.name == "sqlite":  # by whose clock an hour is longer than a lease
        await bob.run_once()
        assert done == ["ada", "bob"]
        return
    assert not await ada.run_once()
    clock.advance(1)
    assert await ada.run_once()
    await let_expire(store, clock)
    assert await bob.run_once(), "an heir does it at once, for nobody knows how far the dead one came"
    assert done == ["ada", "ada", "bob"]


async def test_a_chore_is_done_again_when_a_clock_that_was_ahead_is_set_back(
    store: Store, clock: FixedClock
) -> None:
    done: list[int] = []

    async def chore() -> None:
        done.append(1)

    leased = LeasedChore(store, NAME, "ada", chore, clock=clock)
    await leased.run_once()
    clock.advance(-timedelta(days=200))
    assert await leased.run_once()
    assert not await leased.run_once()
    assert len(done) == 2


async def test_a_chore_goes_on_after_the_database_was_away_and_leaves_its_lease_at_the_end(
    store: Store, clock: FixedClock, capfd: pytest.CaptureFixture[str]
) -> None:
    breakable, done, turns = BreakableStore(store), asyncio.Event(), 0
    breakable.is_away = True

    async def chore() -> None:
        done.set()

    async def sleep(_: float) -> None:
        nonlocal turns
        turns += 1
        breakable.is_away = turns < 3
        await asyncio.sleep(0)

    running = asyncio.create_task(LeasedChore(breakable, NAME, "ada", chore, clock=clock, sleep=sleep).run())

    async def is_done() -> bool:
        return done.is_set()

    await until(is_done, "the chore is done")
    running.cancel()
    await asyncio.wait({running})
    assert turns >= 3
    assert await acquire_lease(store, NAME, "bob", now=clock()) is not None
    assert "chore.postponed" in LOG_EVENTS


async def test_a_chore_tells_that_the_database_is_away(store: Store, clock: FixedClock) -> None:
    breakable = BreakableStore(store)
    breakable.is_away = True

    async def chore() -> None:
        raise AssertionError("nobody holds the lease")

    with pytest.raises(StoreUnavailableError):
        await LeasedChore(breakable, NAME, "ada", chore, clock=clock).run_once()


async def test_partitions_stand_before_their_days_begin(store: Store, clock: FixedClock) -> None:
    await PartitionMaker(store, clock=clock).make()
    if store.name == "sqlite":
        return
    names = await store.read(
        text(
            "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid"
            " WHERE inhparent = 'faultwire.events'::regclass ORDER BY 1"
        )
    )
    days = ("events_20261122", "events_20261123", "events_20261124", "events_20261125")
    assert [row.relname for row in names] == [*days, "events_quarantine"]
