"""The checks of a worker: is it alive, is it ready, has it come up."""

import inspect
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.web.state import Health
from faultwire_shared.health import Check, HealthChecker

LANE_LAG_SECONDS: Final = 30.0
"""A batch that waits longer is stuck: the database's own timeouts are shorter."""
LOOP_LAG_SECONDS: Final = 2.0
OUTBOX_SECONDS: Final = 120.0
"""A notification may be leased for a minute by a dispatcher that died; beyond that nobody takes it."""
FREE_BYTES: Final = 64 * 1024 * 1024
"""What SQLite must find free: its write-ahead log, and a few thousand events."""


class CheckedLane(Protocol):
    """The state of a lane."""

    @property
    def lane(self) -> str:
        """Its name."""
        ...

    @property
    def why_idle(self) -> str:
        """The reason why nothing can come in, and the remedy; empty while something can."""
        ...

    @property
    def lag_seconds(self) -> float:
        """Seconds that its oldest batch has waited to be settled."""
        ...


class NotReceivingError(Exception):
    """A lane has no consumer at the broker, or waits for the store."""


class LaggingError(Exception):
    """Something runs, but too late."""


class RulesBrokenError(Exception):
    """The rules' file cannot be used as it is; those of before stay in use."""


class DiskFullError(Exception):
    """The database's disk has too little room left."""


def worker_health(
    *,
    store: Check,
    lanes: Sequence[CheckedLane],
    more: Mapping[str, Check],
    directory: Path | None,
    hints: Mapping[str, Check] | None = None,
) -> Health:
    """The checks of a worker.

    Args:
        store: asks the database for a sign of life.
        lanes: every lane must receive, and be in time.
        more: other checks of readiness, by name.
        directory: where SQLite keeps its file; None for a database elsewhere.
        hints: what a worker can do without, and its operators should know.
    """
    live = HealthChecker()
    live.add_check("loop", _turns)
    ready, startup = HealthChecker(), HealthChecker()
    ready.add_check("store", store)
    startup.add_check("store", _once(store))
    for name, check in more.items():
        ready.add_check(name, check)
    for lane in lanes:
        ready.add_check(f"lane {lane.lane}", partial(check_lane, lane))
        startup.add_check(f"lane {lane.lane}", _once(partial(check_lane, lane)))
    for name, check in (hints or {}).items():
        ready.add_check(name, check, required=False)
    if directory is not None:
        ready.add_check("disk", partial(check_free_space, directory))
    return Health(live=live, ready=ready, startup=startup)


async def _turns() -> None:
    """Pass: that this runs at all is the answer, and neither broker nor database is asked."""


async def check_lane(lane: CheckedLane) -> float:
    """Return how late a lane is, in seconds.

    Raises:
        NotReceivingError: nothing can come in.
        LaggingError: a batch is stuck.
    """
    if lane.why_idle:
        raise NotReceivingError(lane.why_idle)
    return within(lane.lag_seconds, LANE_LAG_SECONDS, "a batch waits to be settled")


class Outbox(Protocol):
    """The state of the outbox."""

    overdue_seconds: float
    """Seconds that the oldest notification that is due had waited, at the last look."""


async def check_outbox(outbox: Outbox) -> float:
    """Return how many seconds the oldest notification that is due has waited.

    One that is put off after a failed attempt is not due: a receiver that is away makes no worker unready.

    Raises:
        LaggingError: no dispatcher takes it.
    """
    return within(outbox.overdue_seconds, OUTBOX_SECONDS, "a notification that is due waits to be sent")


def check_rules(status: PolicyStatus) -> None:
    """See that the rules in use are those of their file.

    Raises:
        RulesBrokenError: the file was changed and cannot be used.
    """
    if status.wrong is not None:
        raise RulesBrokenError(
            f"the rules of {status.read_at:%Y-%m-%d %H:%M} UTC stay in use: {status.wrong}"
        )


async def check_loop_lag(lag: LoopLag) -> float:
    """Return how late the event loop recently was, in seconds.

    Raises:
        LaggingError: too late to answer in time.
    """
    return within(lag.seconds, LOOP_LAG_SECONDS, "the event loop was held up")


def within(seconds: float, bound: float, what: str) -> float:
    """The seconds, if they are within the bound.

    Raises:
        LaggingError: they are not.
    """
    if seconds > bound:
        raise LaggingError(f"{what} for {seconds:.1f} s, more than {bound:g} s")
    return seconds


def check_free_space(directory: Path) -> None:
    """See that the database can grow; asks the file system, so not for the event loop.

    Raises:
        DiskFullError: too little is free.
        OSError: the directory is gone.
    """
    free = shutil.disk_usage(directory).free
    if free < FREE_BYTES:
        raise DiskFullError(f"{free // 1024 // 1024} MiB free where the database is, too little to go on")


def _once(check: Check) -> Check:
    """A check that has passed for ever when it has passed once: what has come up has come up."""
    passed = False

    async def ask() -> None:
        nonlocal passed
        if not passed:
            result = check()
            if inspect.isawaitable(result):
                await result
            passed = True

    return ask
