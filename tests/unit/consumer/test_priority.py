"""Critical batches go first, and nobody waits for ever."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from faultwire_consumer.ingest.receive.priority import LanePriority
from faultwire_shared.event import Lane

FOR_EVER = 3600.0


async def test_another_lanes_next_batch_waits_until_no_critical_one_is_in_work() -> None:
    priority, order = LanePriority(FOR_EVER), list[str]()

    async def work(lane: Lane, until: asyncio.Event) -> None:
        async with priority.slot(lane):
            order.append(f"{lane} begins")
            await until.wait()
            order.append(f"{lane} ends")

    first, second, at_once = asyncio.Event(), asyncio.Event(), asyncio.Event()
    at_once.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(work(Lane.CRITICAL, first))
        group.create_task(work(Lane.CRITICAL, second))
        await asyncio.sleep(0)
        group.create_task(work(Lane.ROUTINE, at_once))
        await asyncio.sleep(0)
        first.set()
        await asyncio.sleep(0)
        second.set()
    assert order == [
        "critical begins",
        "critical begins",
        "critical ends",
        "critical ends",
        "routine begins",
        "routine ends",
    ]


async def test_a_critical_batch_never_waits_for_another_lanes() -> None:
    priority = LanePriority(FOR_EVER)
    async with priority.slot(Lane.ROUTINE), priority.slot(Lane.HIGH), priority.slot(Lane.CRITICAL):
        pass


async def test_a_flood_of_critical_batches_stops_no_other_lane() -> None:
    priority = LanePriority(patience=0.0)
    async with priority.slot(Lane.CRITICAL), priority.slot(Lane.ROUTINE):
        pass


async def test_two_batches_of_the_other_lanes_are_in_work_and_each_lane_may_have_one() -> None:
    priority, begun, end = LanePriority(FOR_EVER), list[Lane](), asyncio.Event()

    async def work(lane: Lane) -> None:
        async with priority.slot(lane):
            begun.append(lane)
            await end.wait()

    async with asyncio.TaskGroup() as group:
        for lane in (Lane.ROUTINE, Lane.ROUTINE, Lane.ROUTINE, Lane.HIGH, Lane.HIGH):
            group.create_task(work(lane))
            await asyncio.sleep(0)
        assert begun == [Lane.ROUTINE, Lane.ROUTINE, Lane.HIGH]
        end.set()
    assert sorted(begun) == sorted([Lane.ROUTINE] * 3 + [Lane.HIGH] * 2)


async def test_a_batch_that_hangs_holds_no_other_lane_and_its_own_not_for_ever() -> None:
    priority = LanePriority(patience=0.0)
    async with AsyncExitStack() as hanging:
        for lane in (Lane.ROUTINE, Lane.ROUTINE, Lane.HIGH, Lane.HIGH, Lane.ROUTINE):
            await hanging.enter_async_context(priority.slot(lane))


async def test_a_critical_batch_that_fails_holds_nobody_back() -> None:
    priority = LanePriority(FOR_EVER)
    with pytest.raises(ConnectionError):
        await _fail(priority)
    async with priority.slot(Lane.HIGH):
        pass


async def _fail(priority: LanePriority) -> None:
    async with priority.slot(Lane.CRITICAL):
        raise ConnectionError
