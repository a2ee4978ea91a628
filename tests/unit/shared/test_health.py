"""Checks run side by side, each under its timeout, and never pile up."""

import asyncio
import gc
import json
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire import HealthChecker
from faultwire_shared.health import CheckResult


class Dependency:
    """Answers, fails or hangs; counts how often it was asked."""

    def __init__(self, answer: CheckResult = None) -> None:
        self.answer = answer
        self.asked = 0
        self.release = asyncio.Event()
        self.release.set()
        self.error: BaseException | None = None

    async def check(self) -> CheckResult:
        self.asked += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return self.answer


async def test_all_passing_is_healthy_and_each_says_how_long_it_took() -> None:
    checker = HealthChecker(clock=lambda: 0.0)
    checker.add_check("database", Dependency({"response_time": 0.25}).check)
    checker.add_check("broker", Dependency(0.5).check)
    checker.add_check("disk", Dependency().check)
    report = await checker.run_checks()
    told: object = json.loads(json.dumps(report))
    assert told == {
        "status": "healthy",
        "checks": [
            {"name": "database", "status": "pass", "response_time": 0.25},
            {"name": "broker", "status": "pass", "response_time": 0.5},
            {"name": "disk", "status": "pass", "response_time": 0.0},
        ],
    }


async def test_nothing_to_check_is_healthy() -> None:
    report = await HealthChecker().run_checks()
    assert (report["status"], report["checks"]) == ("healthy", [])


@pytest.mark.parametrize("answer", [True, float("nan"), float("inf"), -1.0, {}, {"response_time": None}])
async def test_an_answer_that_is_no_time_leaves_the_time_that_it_took(answer: CheckResult) -> None:
    checker = HealthChecker(clock=lambda: 7.0)
    checker.add_check("odd", Dependency(answer).check)
    assert (await checker.run_checks())["checks"] == [{"name": "odd", "status": "pass", "response_time": 0.0}]


@pytest.mark.parametrize("error", [ValueError("no\nroute"), asyncio.CancelledError(), TimeoutError()])
async def test_a_check_that_raises_fails_alone(error: BaseException) -> None:
    broken = Dependency()
    broken.error = error
    checker = HealthChecker()
    checker.add_check("broken", broken.check)
    checker.add_check("fine", Dependency().check)
    report = await checker.run_checks()
    assert report["status"] == "unhealthy"
    assert [check["status"] for check in report["checks"]] == ["fail", "pass"]
    assert report["checks"][0]["error"].isprintable()


async def test_a_check_that_is_not_required_warns_and_leaves_the_whole_healthy() -> None:
    broken = Dependency()
    broken.error = ValueError("the cache is cold")
    checker = HealthChecker()
    checker.add_check("cache", broken.check, required=False)
    checker.add_check("fine", Dependency().check)
    report = await checker.run_checks()
    assert report["status"] == "healthy"
    assert report["checks"][0] == {"name": "cache", "status": "warn", "error": "the cache is cold"}


async def test_a_check_that_hangs_fails_after_its_timeout() -> None:
    frozen = Dependency()
    frozen.release.clear()
    checker = HealthChecker()
    checker.add_check("frozen", frozen.check, timeout=0.01)
    report = await checker.run_checks()
    assert report["checks"] == [{"name": "frozen", "status": "fail", "error": "no answer within 0.01 s"}]


async def test_a_check_that_resists_its_cancellation_is_not_asked_again_while_it_hangs() -> None:
    asked = 0
    release = asyncio.Event()

    async def stubborn() -> None:
        nonlocal asked
        asked += 1
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    checker = HealthChecker(cache_seconds=0)
    checker.add_check("stubborn", stubborn, timeout=0.01)
    errors = [(await checker.run_checks())["checks"][0]["error"] for _ in range(5)]
    assert asked == 1
    assert errors[0] == "no answer within 0.01 s"
    assert all(error.startswith("no answer for ") for error in errors[1:])
    release.set()

    async def passes() -> bool:
        return (await checker.run_checks())["status"] == "healthy"

    await until(passes, "it is asked again once it has answered")
    assert asked == 2


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_a_plain_function_is_called_beside_the_loop_and_never_twice_at_a_time(
    gate: threading.Event,
) -> None:
    threads: list[int] = []

    def ping() -> dict[str, float]:
        threads.append(threading.get_ident())
        gate.wait(60)
        return {"response_time": 0.125}

    checker = HealthChecker(cache_seconds=0)
    checker.add_check("disk", ping, timeout=0.01)
    for _ in range(3):
        assert (await checker.run_checks())["status"] == "unhealthy"
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    gate.set()

    async def passes() -> bool:
        return (await checker.run_checks())["checks"][0].get("response_time") == 0.125

    await until(passes, "the function's answer arrives")


async def test_a_plain_function_may_raise_or_return_something_to_await() -> None:
    def full() -> None:
        raise OSError(28, "no space left")

    checker = HealthChecker()
    checker.add_check("disk", full, timeout=30)
    checker.add_check("broker", lambda: Dependency(0.5).check(), timeout=30)
    report = await checker.run_checks()
    assert report["checks"][0]["error"] == "[Errno 28] no space left"
    assert report["checks"][1] == {"name": "broker", "status": "pass", "response_time": 0.5}


async def test_callers_that_come_together_share_one_run() -> None:
    dependency = Dependency()
    checker = HealthChecker()
    checker.add_check("slow", dependency.check)
    await asyncio.gather(*(checker.run_checks() for _ in range(50)))
    assert dependency.asked == 1


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    dependency = Dependency()
    dependency.release.clear()
    checker = HealthChecker()
    checker.add_check("slow", dependency.check, timeout=30)
    impatient = asyncio.create_task(checker.run_checks())
    patient = asyncio.create_task(checker.run_checks())
    await asyncio.sleep(0)
    impatient.cancel()
    dependency.release.set()
    assert (await patient)["status"] == "healthy"
    assert dependency.asked == 1


async def test_an_answer_is_kept_for_a_second(clock: FixedClock) -> None:
    dependency = Dependency()
    checker = HealthChecker(clock=clock.monotonic)
    checker.add_check("database", dependency.check)
    for seconds in (0, 0.5, 0.6, 0.1):
        clock.advance(seconds)
        (await checker.run_checks())["checks"].clear()  # a caller's copy is its own
        assert len((await checker.run_checks())["checks"]) == 1
    assert dependency.asked == 2


async def test_a_name_stands_for_one_check() -> None:
    checker = HealthChecker()
    checker.add_check("database", Dependency().check)
    with pytest.raises(ValueError, match="'database'"):
        checker.add_check("database", Dependency().check)


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach amqp://bob:hunter2@host",
        "connection to host=db user=bob password=hunter2 failed",
        'refused {"api_key": "hunter2"}',
        "Authorization: Bearer hunter2",
    ],
)
async def test_what_a_check_says_is_redacted(text: str) -> None:
    secret = Dependency()
    secret.error = ValueError(text)
    checker = HealthChecker()
    checker.add_check("broker", secret.check)
    error = (await checker.run_checks())["checks"][0]["error"]
    assert "hunter2" not in error
    assert "***" in error


async def test_an_error_that_cannot_be_shown_is_named_by_its_type() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    hostile = Dependency()
    hostile.error = SilentError()
    checker = HealthChecker()
    checker.add_check("hostile", hostile.check)
    assert (await checker.run_checks())["checks"][0]["error"] == "SilentError"


async def test_what_a_check_raises_after_its_timeout_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def late() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("gone") from None

    checker = HealthChecker()
    checker.add_check("late", late, timeout=0.01)
    await checker.run_checks()
    del checker
    await asyncio.sleep(0.01)
    gc.collect()
    assert caplog.text == ""


def exits() -> None:
    sys.exit("the disk is gone")


def ends_in_an_iterator() -> None:
    next(iter(()))


def is_interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("check", "error"),
    [
        (ends_in_an_iterator, "StopIteration"),
        (exits, "SystemExit: the disk is gone"),
        (is_interrupted, "KeyboardInterrupt"),
        (lambda: False, "the check returned False"),
        (lambda: {"status": "fail"}, "the check says fail"),
        (lambda: {"status": "DOWN", "error": "no route"}, "no route"),
    ],
)
async def test_however_a_plain_check_fails_it_has_failed_and_is_asked_again(
    check: Callable[[], CheckResult], error: str
) -> None:
    is_well = False
    checker = HealthChecker(cache_seconds=0)
    checker.add_check("replica", lambda: None if is_well else check(), timeout=30)
    assert (await checker.run_checks())["checks"] == [{"name": "replica", "status": "fail", "error": error}]
    is_well = True
    assert (await checker.run_checks())["status"] == "healthy"


async def test_a_coroutine_that_exits_fails_and_ends_nothing() -> None:
    async def check() -> CheckResult:
        sys.exit(3)

    checker = HealthChecker()
    checker.add_check("replica", check)
    assert (await checker.run_checks())["checks"][0].get("error") == "SystemExit: 3"
