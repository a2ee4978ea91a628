"""Checks run side by side, each under its timeout, and never pile up."""

import asyncio

import pytest
from tests.clock import FixedClock

from faultwire_shared.health import CheckResult, HealthChecker


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
    checker = HealthChecker()
    checker.add_check("database", Dependency({"response_time": 0.25}).check)
    checker.add_check("broker", Dependency(0.5).check)
    checker.add_check("disk", Dependency().check)
    report = await checker.run_checks()
    assert report.status == "healthy"
    assert [check.response_time for check in report.checks][:2] == [0.25, 0.5]


@pytest.mark.parametrize("error", [ValueError("no\nroute"), asyncio.CancelledError(), TimeoutError()])
async def test_a_check_that_raises_fails_alone(error: BaseException) -> None:
    broken = Dependency()
    broken.error = error
    checker = HealthChecker()
    checker.add_check("broken", broken.check)
    checker.add_check("fine", Dependency().check)
    report = await checker.run_checks()
    assert report.status == "unhealthy"
    assert [check.status for check in report.checks] == ["fail", "pass"]
    assert report.checks[0].error
    assert "\n" not in report.checks[0].error


async def test_a_check_that_hangs_fails_after_its_timeout() -> None:
    frozen = Dependency()
    frozen.release.clear()
    checker = HealthChecker()
    checker.add_check("frozen", frozen.check, timeout=0.01)
    report = await checker.run_checks()
    assert (report.checks[0].status, report.checks[0].error) == ("fail", "no answer within 0.01 s")


async def test_callers_that_come_together_share_one_run() -> None:
    dependency = Dependency()
    checker = HealthChecker()
    checker.add_check("slow", dependency.check)
    await asyncio.gather(*(checker.run_checks() for _ in range(50)))
    assert dependency.asked == 1


async def test_an_answer_is_kept_for_a_second(clock: FixedClock) -> None:
    dependency = Dependency()
    checker = HealthChecker(clock=clock.monotonic)
    checker.add_check("database", dependency.check)
    for seconds in (0, 0.5, 0.6, 0.1):
        clock.advance(seconds)
        await checker.run_checks()
    assert dependency.asked == 2


async def test_what_a_check_says_is_redacted() -> None:
    secret = Dependency()
    secret.error = ValueError("cannot reach amqp://bob:hunter2@host")
    checker = HealthChecker(redact=lambda text: text.replace("hunter2", "***"))
    checker.add_check("broker", secret.check)
    assert "hunter2" not in str((await checker.run_checks()).checks[0].error)
