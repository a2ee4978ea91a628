"""What makes a worker ready, alive, and come up."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.maintenance.loop_lag import POLL_SECONDS, LoopLag
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.web.health import check
from faultwire_consumer.web.state import Health
from faultwire_shared.health import HealthChecker

IDLE: Final = "the queue faultwire.critical is missing; run `faultwire topology apply`"


@dataclass
class Lane:
    """A lane as the checks see it."""

    lane: str = "critical"
    why_idle: str = ""
    lag_seconds: float = 0.0


@dataclass
class Outbox:
    """An outbox as the checks see it."""

    overdue_seconds: float = 100.0


class Store:
    """Answers, or does not."""

    def __init__(self) -> None:
        self.is_away = False

    async def ping(self) -> None:
        if self.is_away:
            raise ConnectionError("the database is away: postgresql://ada:hunter2@db/faultwire")


def health(store: Store, lane: Lane, directory: Path | None = None) -> Health:
    made = check.worker_health(store=store.ping, lanes=[lane], more={}, directory=directory)
    for checker in (made.live, made.ready, made.startup):
        checker._cache_seconds = 0
    return made


async def failures(checker: HealthChecker) -> dict[str, str]:
    report = await checker.run_checks()
    return {one["name"]: one["error"] for one in report["checks"] if one["status"] == "fail"}


async def test_a_lane_without_a_consumer_is_not_ready_and_alive_all_the_same() -> None:
    asked = health(Store(), Lane(why_idle=IDLE))
    assert await failures(asked.ready) == {"lane critical": IDLE}
    assert await failures(asked.live) == {}


async def test_a_lane_whose_batch_is_stuck_is_not_ready_and_says_for_how_long() -> None:
    lane = Lane(lag_seconds=29)
    asked = health(Store(), lane)
    assert await failures(asked.ready) == {}
    assert (await asked.ready.run_checks())["checks"][1]["response_time"] == 29
    lane.lag_seconds = 31
    assert "for 31.0 s" in (await failures(asked.ready))["lane critical"]


async def test_what_has_come_up_stays_so_when_the_database_goes_away() -> None:
    store, lane = Store(), Lane()
    asked = health(store, lane)
    store.is_away = True
    assert set(await failures(asked.startup)) == {"store"}
    store.is_away = False
    assert await failures(asked.startup) == {}
    store.is_away, lane.why_idle = True, IDLE
    assert await failures(asked.startup) == {}
    assert set(await failures(asked.ready)) == {"store", "lane critical"}


async def test_no_password_is_told() -> None:
    store = Store()
    store.is_away = True
    error = (await failures(health(store, Lane()).ready))["store"]
    assert "hunter2" not in error
    assert "postgresql://ada:***@db/faultwire" in error


async def test_a_disk_without_room_for_the_database_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = health(Store(), Lane(), tmp_path)
    assert await failures(asked.ready) == {}
    monkeypatch.setattr(check, "FREE_BYTES", 1 << 60)
    assert "MiB free" in (await failures(asked.ready))["disk"]


async def test_an_outbox_that_nobody_empties_is_not_ready_and_says_for_how_long() -> None:
    outbox = Outbox()
    checker = HealthChecker(cache_seconds=0)
    checker.add_check("outbox", lambda: check.check_outbox(outbox))
    assert await failures(checker) == {}
    outbox.overdue_seconds = 121.0
    assert "for 121.0 s, more than 120 s" in (await failures(checker))["outbox"]


async def test_the_worst_of_the_last_looks_is_the_loops_lag(clock: FixedClock) -> None:
    lag = LoopLag(metrics=Metrics(), clock=clock.monotonic)
    checker = HealthChecker(cache_seconds=0)
    checker.add_check("loop", lambda: check.check_loop_lag(lag), timeout=30)
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    clock.advance(POLL_SECONDS + 3)

    async def has_looked() -> bool:
        return lag.seconds > 0

    await until(has_looked, "the sleep ends")
    assert lag.seconds == 3
    assert "for 3.0 s, more than 2 s" in (await failures(checker))["loop"]
    running.cancel()
