"""The worker's own errors are stored like everybody's, in a bounded number, and never about themselves."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.tools.clock import FixedClock
from tests.tools.fakes import BreakableStore
from tests.tools.waiting import until

from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.maintenance.retention import RetentionHeldError
from faultwire_consumer.maintenance.self_report import BURST_SECONDS, KINDS, SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.schema.events import events, incidents
from faultwire_consumer.worker.lifecycle import watched
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import ErrorSeverity


class Path:
    """The path that all events take, over a store that can be away; it can be made to fail itself."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store = BreakableStore(store)
        self.error: Exception | None = None
        self.taken = 0
        self._pipeline = Pipeline(self.store, metrics=Metrics(), clock=clock)

    async def __call__(self, body: bytes, message_type: str = EVENT_TYPE) -> bool:
        self.taken += 1
        if self.error is not None:
            raise self.error
        delivery = read_delivery(body, message_type, origin="test", handle=None)
        (outcomes,) = await self._pipeline.ingest([delivery])
        return not must_return(outcomes)


@pytest.fixture
def path(store: Store, clock: FixedClock) -> Path:
    return Path(store, clock)


@pytest.fixture
async def report(path: Path, clock: FixedClock) -> AsyncIterator[SelfReport]:
    async with SelfReport(path, clock=clock, monotonic=clock.monotonic) as report:
        yield report


async def stored(store: Store) -> Sequence[Any]:
    return await store.read(select(events.c.event_id, events.c.service, events.c.count))


async def total(store: Store) -> int:
    ((count,),) = await store.read(select(func.coalesce(func.sum(events.c.count), 0)))
    return int(count)


async def until_stored(store: Store, number: int) -> None:
    async def are_stored() -> bool:
        return len(await stored(store)) == number

    await until(are_stored, f"{number} events are stored")


def fault(text: str = "broken") -> RuntimeError:
    """An error with frames, as one that was raised."""
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError(text)
    return raised.value


async def test_an_error_is_an_event_of_faultwires_own_under_the_id_of_the_answer(
    store: Store, report: SelfReport
) -> None:
    response = report.report(fault(), part="GET /")
    await until_stored(store, 1)
    ((event_id, service, count),) = await stored(store)
    assert (event_id, service, count) == (response.error_id, "faultwire", 1)


async def test_a_burst_is_one_event_at_once_and_one_with_the_count_of_the_rest(
    store: Store, report: SelfReport, clock: FixedClock
) -> None:
    ids = {report.report(fault(f"order {number}"), part="GET /").error_id for number in range(1000)}
    assert len(ids) == 1
    await until_stored(store, 1)
    clock.advance(BURST_SECONDS - 1)
    await report.close_bursts(older_than=BURST_SECONDS)
    assert await total(store) == 1
    clock.advance(1)
    await report.close_bursts(older_than=BURST_SECONDS)
    assert sorted(count for _, _, count in await stored(store)) == [1, 999]
    assert [tuple(row) for row in await store.read(select(incidents.c.count))] == [(1000,)]
    assert report.report(fault(), part="GET /").error_id not in ids


async def test_the_end_tells_the_count_of_an_open_burst(store: Store, path: Path, clock: FixedClock) -> None:
    async with SelfReport(path, clock=clock) as report:
        for _ in range(5):
            report.report(fault(), part="GET /")
    assert await total(store) == 5


async def test_two_kinds_are_two_and_beyond_a_hundred_they_are_one_together(
    store: Store, report: SelfReport
) -> None:
    ids = {report.report(fault(), part=f"part {number}").error_id for number in range(KINDS + 50)}
    assert len(ids) == KINDS + 1
    await report.close_bursts()
    await until_stored(store, KINDS + 2)
    assert await total(store) == KINDS + 50


async def test_while_the_store_is_away_nothing_is_reported_about_that_and_all_is_told_later(
    store: Store, report: SelfReport, path: Path
) -> None:
    path.store.is_away = True
    for _ in range(10):
        report.report(StoreUnavailableError("away"), part="GET /")

    async def was_tried() -> bool:
        return path.taken >= 2

    await until(was_tried, "the publisher tries again")
    await report.close_bursts()
    assert report.handled == 1
    path.store.is_away = False
    await until_stored(store, 1)
    await report.close_bursts()
    assert await total(store) == 10


async def test_an_error_while_an_own_error_is_stored_makes_no_other(
    store: Store, report: SelfReport, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.error = ValueError("the path is broken")
    responses = [report.report(fault(), part=part) for part in ("one", "two", "two")]
    states = [await response.delivered(60) for response in responses]
    await report.close_bursts()
    assert {state.state for state in states} == {"refused"}
    assert report.handled == 2
    assert path.taken <= 4
    assert "the path is broken" in caplog.text
    path.error = None
    await report.close_bursts()
    assert await stored(store) == []


async def test_what_retention_asks_at_each_look_is_one_incident_of_faultwires_own(
    store: Store, report: SelfReport, clock: FixedClock
) -> None:
    for looks in (1, 2):
        report.report(RetentionHeldError("more days"), part="retention", severity=ErrorSeverity.HIGH)
        await until_stored(store, looks)
        clock.advance(3600)
        await report.close_bursts(older_than=BURST_SECONDS)
    (row,) = await store.read(
        select(incidents.c.service, incidents.c.code, incidents.c.severity, incidents.c.count)
    )
    assert tuple(row) == ("faultwire", "RETENTION_HELD", 3, 2)


async def test_a_part_that_dies_is_stored_as_critical_before_its_error_goes_on(
    store: Store, report: SelfReport
) -> None:
    async def die() -> None:
        raise fault("lane is broken")

    with pytest.raises(RuntimeError, match="lane is broken"):
        await watched(die(), part="lane high", report=report)
    ((severity,),) = await store.read(select(incidents.c.severity))
    assert severity == 4


async def test_a_part_that_is_cancelled_is_no_error(report: SelfReport) -> None:
    async def last() -> None:
        await asyncio.Event().wait()

    part = asyncio.create_task(watched(last(), part="lane", report=report))
    await asyncio.sleep(0)
    part.cancel()
    with pytest.raises(asyncio.CancelledError):
        await part
    assert report.handled == 0


async def test_a_task_that_nobody_waits_for_is_reported(store: Store, report: SelfReport) -> None:
    async def die() -> None:
        raise fault("forgotten")

    forgotten = asyncio.create_task(die())
    await asyncio.wait({forgotten})
    del forgotten
    gc.collect()
    await until_stored(store, 1)
    assert report.handled == 1


async def test_what_a_driver_drops_with_its_connection_is_not_the_workers_error(report: SelfReport) -> None:
    async def die() -> None:
        raise ConnectionResetError("the broker is gone")

    loop = asyncio.get_running_loop()
    bare: asyncio.Future[None] = loop.create_future()
    bare.set_exception(RuntimeError("unexpected connection_lost() call"))
    dropped = asyncio.create_task(die())
    await asyncio.wait({dropped})
    del bare, dropped
    gc.collect()
    await asyncio.sleep(0)
    assert report.handled == 0
