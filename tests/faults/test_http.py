"""The promises over HTTP: 202 after the commit is the confirm, and what is sent twice is stored once."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select
from tests.faults.thief import http_thief
from tests.tools.bench import Bench, running_intake
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire import ErrorManager, ErrorResponse
from faultwire_consumer.store.schema.events import incidents
from faultwire_shared.failpoint import VARIABLE

EVENTS: Final = 40

pytestmark = pytest.mark.may_block("starts processes, looks into directories")


async def emit(errors: ErrorManager, count: int = EVENTS) -> list[ErrorResponse]:
    """Events of every lane, with pauses by which they travel in several requests."""
    responses = []
    for number in range(count):
        severity = ("low", "high", "critical")[number % 3]
        responses.append(await errors.handle_error(ValueError("x"), severity))
        await asyncio.sleep(0.01)
    return responses


async def assert_stored_once(bench: Bench, responses: list[ErrorResponse]) -> None:
    assert sorted(await bench.reader.event_ids()) == sorted(one.error_id for one in responses)
    (row,) = await bench.store.read(select(func.sum(incidents.c.count)))
    assert int(row[0]) == len(responses)


async def are_confirmed(responses: list[ErrorResponse]) -> bool:
    return all(one.state.state == "confirmed" for one in responses)


async def test_a_request_whose_answer_was_lost_is_sent_again_and_counted_once(tmp_path: Path) -> None:
    async with (
        running_intake(f"sqlite:///{tmp_path / 'faultwire.db'}") as bench,
        http_thief(bench.url, lambda body: False) as thief,
    ):
        thief.hides_answers = 4
        async with ErrorManager(collapse_storms=False, service="shop", broker_url=thief.url) as errors:
            responses = await emit(errors)
            await until(lambda: are_confirmed(responses), "every event is confirmed", seconds=60)
            assert errors.stats().lost == {}
        assert thief.hides_answers == 0
        assert bench.metrics.events_duplicate._value.get() > 0
        await assert_stored_once(bench, responses)


async def test_two_clients_at_one_door_are_each_counted_once(tmp_path: Path) -> None:
    async with (
        running_intake(f"sqlite:///{tmp_path / 'faultwire.db'}") as bench,
        http_thief(bench.url, lambda body: False) as thief,
    ):
        thief.hides_answers = 2
        options: dict[str, Any] = {"collapse_storms": False, "service": "shop", "broker_url": thief.url}
        async with ErrorManager(**options) as one, ErrorManager(**options) as other:
            first, second = await asyncio.gather(emit(one), emit(other))
            responses = [*first, *second]
            await until(lambda: are_confirmed(responses), "every event is confirmed", seconds=60)
        await assert_stored_once(bench, responses)


@pytest.mark.e2e
@pytest.mark.parametrize("place", ["worker.begun", "worker.committed"])
async def test_a_worker_killed_around_its_commit_before_it_answers_loses_and_doubles_nothing(
    place: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'faultwire.db'}"
    worker = WorkerProcess(tmp_path, database_url=database)
    await worker.launch(**{VARIABLE: place})
    async with ErrorManager(collapse_storms=False, service="shop", broker_url=worker.url) as errors:
        responses = await emit(errors)
        assert await worker.wait_for_death() == -9
        reader = StoreReader(database)
        assert bool(await reader.stored()) == (place == "worker.committed")
        await worker.start()
        await until(lambda: are_confirmed(responses), "every event is confirmed", seconds=60)
        assert errors.stats().lost == {}
    assert sorted(await reader.event_ids()) == sorted(one.error_id for one in responses)
    # But for the worker's own, which says on a slow machine that a notification was late.
    theirs = "SELECT sum(count) FROM {s}incidents WHERE service <> 'faultwire'"
    assert await reader.one(theirs) == len(responses)
    assert await worker.end() == 0
