"""An error that passes several hands is told once; what was not told, or met by another request, is new."""

import asyncio
import copy
import json
import logging
import pickle
import sys
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.unit.producer.harness import Harness

from faultwire import ErrorManager, ErrorResponse, SyncErrorManager
from faultwire.capture import scope
from faultwire.capture.identity import MARK
from faultwire.integrations.logging import ErrorHandler
from faultwire.response.recent import MEETINGS
from faultwire.testing import Captured
from faultwire_shared.event import Event
from faultwire_shared.resilience.retry_db import retry_db_operation

CLOSED = ConnectionError("a module's constant")


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - for its traceback
    except BaseException as caught:  # noqa: BLE001 - it is what the test is about
        return caught


async def fail() -> None:
    raise ConnectionError("the database is away")


async def test_what_a_processor_drops_at_one_layer_is_told_by_the_next(harness: Harness) -> None:
    def without_noise(event: Event) -> Event | None:
        return None if event.tags.get("logger") == "noisy" else event

    async with harness.manager(before_send=without_noise) as errors:
        error = raised(ConnectionError("charge failed"))
        dropped = errors.handle_once(error, tags={"logger": "noisy"})
        told = errors.handle_once(error, "critical")
        assert errors.handle_once(error) is told
    assert [event.id for event in harness.transport.events] == [told.error_id]
    assert dropped.state.reason == "dropped_by_processor"
    assert errors.stats().handled == 2


async def test_what_found_no_room_or_was_unencodable_is_tried_again(harness: Harness) -> None:
    def spoil_lesser(event: Event) -> Event:
        return replace(event, occurred_at=object()) if event.severity == "low" else event

    async with harness.manager(processors=[spoil_lesser]) as errors:
        error = raised(ValueError("x"))
        assert errors.handle_once(error, "low").state.reason == "unencodable"
        errors.handle_once(error, "high")
    assert len(harness.transport.events) == 1
    late = raised(ValueError("late"))
    closed = errors.handle_once(late)
    assert errors.handle_once(late) is not closed


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"ignore_errors": [ValueError]}, "ignored"), ({"sample_rate": 0.0}, "not_sampled")],
)
async def test_what_the_service_wants_no_event_of_is_judged_and_counted_once(
    harness: Harness, options: dict[str, object], reason: str
) -> None:
    async with harness.manager(**options) as errors:
        error = raised(ValueError("x"))
        assert errors.handle_once(error) is errors.handle_once(error)
    assert errors.stats().lost == {reason: 1}


def test_two_managers_are_told_once_each(captured: Captured) -> None:
    one, other = SyncErrorManager(service="one"), SyncErrorManager(service="other")
    error = raised(ValueError("x"))
    answers = [manager.handle_once(error) for manager in (one, other, one, other)]
    assert answers[:2] == answers[2:]
    assert [event.service for event in captured.events] == ["one", "other"]


async def test_each_task_that_waits_for_the_same_failed_future_has_an_error_of_its_own(
    captured: Captured,
) -> None:
    errors = ErrorManager(service="shop")
    pool = asyncio.ensure_future(fail())

    async def serve(customer: int) -> ErrorResponse | None:
        with errors.bind(customer=customer), errors.guard(reraise=False) as outer, errors.guard():
            await pool
        return outer.response

    answers = await asyncio.gather(*(serve(number) for number in range(50)))
    assert len({answer.error_id for answer in answers if answer}) == 50
    assert [event.tags["customer"] for event in captured.events] == list(range(50))


async def test_the_counts_of_a_shared_failure_are_exact_in_a_burst(harness: Harness) -> None:
    async with harness.manager() as errors:
        pool = asyncio.ensure_future(fail())

        async def serve() -> None:
            with errors.guard(reraise=False):
                await pool

        await asyncio.gather(*(serve() for _ in range(50)))
    assert sum(event.count for event in harness.transport.events) == 50


def test_each_request_that_meets_a_constant_has_an_error_of_its_own(captured: Captured) -> None:
    errors = ErrorManager(service="shop")

    def serve() -> None:
        with scope.begin():
            error = raised(CLOSED)
            inner = errors.handle_once(error)
            with scope.begin():  # an application within another
                assert errors.handle_once(error) is inner
            raised(error.with_traceback(None))
            assert errors.handle_once(error) is inner

    for _ in range(3):
        serve()
    assert len(captured.events) == 3


async def test_an_error_on_its_way_through_tasks_and_logs_stays_one(captured: Captured) -> None:
    errors = ErrorManager(service="shop")

    @errors.guard()
    async def inner() -> None:
        await fail()

    with pytest.raises(ConnectionError) as caught, errors.guard():
        await asyncio.gather(asyncio.create_task(inner()))
    errors.handle_once(caught.value, "critical")
    assert captured.event.exceptions[0].type == "ConnectionError"


def test_what_a_retry_gave_up_is_the_error_that_goes_on(captured: Captured) -> None:
    errors = SyncErrorManager(service="shop")

    @retry_db_operation(delay=0, errors=errors)
    def ask() -> None:
        raise ConnectionResetError("gone")

    def serve() -> None:
        with errors.guard():
            ask()

    with pytest.raises(ConnectionResetError):
        serve()
    assert "attempts" in captured.event.context


def test_an_exception_carries_a_bounded_number_of_meetings() -> None:
    errors = ErrorManager(service="shop")
    error = raised(ValueError("x"))
    for _ in range(3 * MEETINGS):
        errors.handle_error_nowait(error)
    (mark,) = error.__dict__.values()
    assert len(mark.meetings) == MEETINGS


def pickled(error: BaseException) -> BaseException:
    copied: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    return copied


@pytest.mark.parametrize("of", [pickled, copy.deepcopy, copy.copy])
def test_a_copy_is_known_by_the_id_of_its_event(of: Callable[[BaseException], BaseException]) -> None:
    errors = ErrorManager(service="shop")
    error = raised(ValueError("x"))
    response = errors.handle_once(error)
    assert errors.handle_once(of(error)) is response
    assert len(pickle.dumps(error)) < 1_000
    assert json.loads(json.dumps(vars(error))) == {MARK: response.error_id}


async def test_the_log_and_the_request_tell_one_event_each_for_every_request(harness: Harness) -> None:
    async with harness.manager(collapse_storms=False) as errors:
        handler, pool = ErrorHandler(errors), asyncio.ensure_future(fail())

        async def serve() -> None:
            with scope.begin(), errors.guard(reraise=False):
                try:
                    await pool
                except ConnectionError:
                    handler.handle(logged(sys.exc_info()))
                    await asyncio.sleep(0)
                    raise

        await asyncio.gather(*(serve() for _ in range(20)))
    assert len(harness.transport.events) == 20


def logged(exc_info: object) -> logging.LogRecord:
    return logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), exc_info)  # type: ignore[arg-type]  # sys.exc_info's
