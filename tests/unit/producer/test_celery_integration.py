"""Celery's tasks, run in this process: which of their errors become events, and what those say."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.trace import ExceptionInfo, build_tracer
from celery.exceptions import WorkerLostError

from faultwire import BusinessError, SyncErrorManager
from faultwire.integrations.celery import install
from faultwire.integrations.logging import ErrorHandler
from faultwire.testing import Captured, capture_events

errors = SyncErrorManager(service="shop")
app: Any = Celery("shop", broker="memory://", backend="cache+memory://")
other: Any = Celery("other", broker="memory://", set_as_current=False)


def task(name: str, *, of: Any = app, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """``app.task``, typed."""
    made: Callable[[Callable[..., None]], Any] = of.task(name=name, **options)
    return made


class UnpickleableError(Exception):
    def __init__(self, text: str, lock: object) -> None:
        super().__init__(text)
        self.lock = lock


@task("shop.fail", bind=True)
def fail(self: Any, text: str, *, handled: bool = False) -> None:
    errors.bind(order=text)
    error = ValueError(text)
    if handled:
        errors.handle_error(error)
    raise error


@task("shop.unpickleable")
def unpickleable() -> None:
    raise UnpickleableError("x", threading.Lock())


@task("shop.expected", throws=(BusinessError,))
def expected() -> None:
    raise BusinessError("closed")


@task("shop.retry", bind=True, max_retries=2, default_retry_delay=0)
def retry(self: Any) -> None:
    try:
        fail_at_once()
    except ConnectionError as error:
        raise self.retry(exc=error) from error


def fail_at_once() -> None:
    raise ConnectionError("the gateway is away")


@task("shop.ok")
def ok() -> None:
    errors.capture_message("all is well")


@task("other.fail", of=other)
def fail_elsewhere() -> None:
    raise ValueError("not ours")


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture_events(errors) as captured, install(app, errors):
        yield captured


def test_a_task_that_fails_is_one_event_that_names_it(captured: Captured) -> None:
    result = fail.apply(args=("17",), task_id="t-1")
    assert result.state == "FAILURE"
    event = captured.event
    assert (event.message, event.severity, event.handled) == ("17", "high", False)
    assert (event.transaction, event.tags) == ("shop.fail", {"order": "17"})
    assert (event.context["task_id"], event.context["retries"]) == ("t-1", 0)
    assert event.request["task_id"] == "t-1"
    assert event.exceptions[0].frames


def test_arguments_are_personal_and_travel_only_by_request(captured: Captured) -> None:
    fail.apply(args=("secret",))
    assert "args" not in captured.event.request
    assert "kwargs" not in captured.event.request
    captured.clear()
    with install(app, errors, send_arguments=True):  # in place of the first
        fail.apply(args=("known",))
    assert captured.event.request["args"] == ["known"]


def test_an_error_that_the_task_handed_over_itself_stays_one_event(captured: Captured) -> None:
    fail.apply(args=("17",), kwargs={"handled": True})
    assert captured.event.handled


def test_what_a_task_throws_on_purpose_is_no_event(captured: Captured) -> None:
    assert expected.apply().state == "FAILURE"
    assert captured.events == []


def test_a_retry_is_no_event_and_the_last_failure_is_one(captured: Captured) -> None:
    assert retry.apply().state == "FAILURE"
    event = captured.event
    assert (event.exceptions[0].type, event.context["retries"]) == ("ConnectionError", 2)


def test_an_exception_that_cannot_be_pickled_keeps_its_type(captured: Captured) -> None:
    unpickleable.apply()
    assert captured.event.exceptions[0].type == "UnpickleableError"


@pytest.mark.parametrize("task", [fail, unpickleable])
def test_what_celery_logs_of_it_too_is_the_same_event(task: Any, captured: Captured) -> None:
    handler = ErrorHandler(errors)
    logger = logging.getLogger("celery.app.trace")
    logger.addHandler(handler)
    try:
        request = {"id": "t-1", "hostname": "x", "delivery_info": {}, "args": ["17"], "kwargs": {}}
        arguments = ("17",) if task is fail else ()
        build_tracer(task.name, task, app=app)("t-1", arguments, {}, request)
    finally:
        logger.removeHandler(handler)
    assert captured.event.transaction == task.name


def test_a_lost_process_of_the_pool_is_one_event(captured: Captured) -> None:
    handler = ErrorHandler(errors)
    try:
        raise WorkerLostError("Worker exited prematurely: signal 9.")  # noqa: TRY301 - as Celery does
    except WorkerLostError as caught:
        error, failed = caught, ExceptionInfo()
    signals.task_failure.send(sender=fail, task_id="t-1", exception=error)
    record = logging.LogRecord("celery", logging.ERROR, "", 0, "lost", (), failed.exc_info)
    handler.handle(record)
    assert captured.event.exceptions[0].type == "WorkerLostError"


def test_each_task_begins_with_an_empty_scope(captured: Captured) -> None:
    with errors.bind(outside="yes"):
        fail.apply(args=("17",))
        ok.apply()
        errors.capture_message("outside again")
    _, inside, outside = captured.events
    assert (inside.tags, inside.transaction) == ({}, "shop.ok")
    assert (outside.tags, outside.transaction) == ({"outside": "yes"}, None)


def test_tasks_of_other_apps_are_theirs(captured: Captured) -> None:
    fail_elsewhere.apply()
    assert captured.events == []


def test_uninstalled_nothing_is_reported() -> None:
    with capture_events(errors) as captured:
        install(app, errors).uninstall()
        fail.apply(args=("17",))
    assert captured.events == []
