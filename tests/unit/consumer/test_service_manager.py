"""What systemd is told of a process, and what nobody is told where no systemd listens."""

import asyncio
from collections.abc import Callable

import pytest

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.worker.supervision.ending import Ending, EndingError
from faultwire_consumer.worker.supervision.service_manager import (
    STATUS_SECONDS,
    ServiceManager,
    Telling,
    service_manager_of,
)
from faultwire_consumer.worker.supervision.worker_status import WorkerStatus
from faultwire_shared.health import HealthChecker


class EnoughError(Exception):
    """The test has seen enough."""


class Sleeper:
    """Waits for nothing, notes how long it should have, and may change the world meanwhile."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.waited = list[float]()
        self._steps = list(steps)

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        if not self._steps:
            raise EnoughError
        self._steps.pop(0)()


class Lane:
    """A lane as the line on it sees it."""

    lane = "critical"
    why_idle = ""
    lag_seconds = 0.0


def nothing() -> None:
    """Nothing happens."""


async def test_ready_is_said_when_it_has_come_up_and_patience_asked_for_until_then() -> None:
    told, is_up = list[str](), list[bool]()
    startup = HealthChecker(cache_seconds=0)

    async def check() -> None:
        if not is_up:
            raise ConnectionError("no consumer")

    startup.add_check("lane critical", check)
    sleeper = Sleeper(nothing, lambda: is_up.append(True), nothing)
    manager = ServiceManager(told.append, watchdog_seconds=30)
    with pytest.raises(EnoughError):
        await Telling(manager, startup, lambda: "all is well", sleep=sleeper).run()
    waiting = "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=lane critical: no consumer"
    alive = "WATCHDOG=1\nSTATUS=all is well"
    assert told == [waiting, waiting, "READY=1", alive, alive]
    assert sleeper.waited[-2:] == [15.0, 15.0], "a sign of life at half of what may pass without one"


def test_rules_are_read_between_reloading_and_ready() -> None:
    told = list[str]()
    manager = ServiceManager(told.append)
    manager.ready()
    with manager.reloading():
        assert told[-1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert told[-1] == "READY=1"


def test_a_reload_makes_nobody_ready_who_only_starts_or_already_ends() -> None:
    told = list[str]()
    manager = ServiceManager(told.append)
    with manager.reloading():
        pass
    assert told == []
    manager.ready()
    with manager.reloading():
        manager.stopping()
    assert told[-1].startswith("STOPPING=1")


def test_a_status_is_one_bounded_line() -> None:
    told = list[str]()
    ServiceManager(told.append).alive("down\nREADY=1\x1b[2J" + "x" * 1000)
    assert told[0].count("\n") == 1
    assert "\x1b" not in told[0]
    assert len(told[0]) < 400


@pytest.mark.parametrize("path", ["", "relative", "vsock:2:1234"])
def test_without_a_socket_that_can_be_written_to_nobody_is_told(path: str) -> None:
    manager = service_manager_of({"NOTIFY_SOCKET": path})
    assert not manager.is_listening
    manager.ready()
    manager.alive("all is well")


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "soon"}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "0"}, STATUS_SECONDS),
        ({}, STATUS_SECONDS),
    ],
)
def test_a_watchdog_of_another_process_or_of_no_sense_is_nobody_s(
    variables: dict[str, str], seconds: float
) -> None:
    assert service_manager_of({"NOTIFY_SOCKET": "@nobody", **variables}).beat_seconds == seconds


def test_a_worker_in_a_line_has_its_lanes_and_its_rate_since_it_was_asked_last() -> None:
    now, metrics, idle = [0.0], Metrics(), Lane()
    idle.why_idle = "no queue"
    status = WorkerStatus([Lane(), idle], metrics.events_stored, clock=lambda: now[0])
    metrics.events_stored.inc(30)
    now[0] = 15.0
    assert status.say() == "1 of 2 lanes receive, 2.0 events a second"
    now[0] = 30.0
    assert status.say() == "1 of 2 lanes receive, 0.0 events a second"


async def test_who_is_about_to_end_is_not_ready_at_once_and_serves_on_for_as_long_as_it_was_told() -> None:
    told, waited, was_ready = list[str](), list[float](), list[bool]()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        with pytest.raises(EndingError):
            await ending.check()
        was_ready.append(False)

    ending = Ending(ServiceManager(told.append), 5, sleep=sleep)
    await ending.check()
    await ending.begin()
    assert (waited, was_ready) == ([5], [False])
    assert told == ["STOPPING=1\nSTATUS=drains"]


async def test_without_a_delay_the_drain_begins_at_once() -> None:
    ending = Ending(ServiceManager(None), 0, sleep=asyncio.Event().wait)  # type: ignore[arg-type]  # never called
    await asyncio.wait_for(ending.begin(), 1)
