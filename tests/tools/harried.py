"""A host in a process of its own that reports 10,000 errors, as a script: what it felt is printed as JSON.

``python harried.py URL SPOOL_PATH EVENTS [RLIMIT_FSIZE]``; before the flood it says ``ready`` and waits for a
line, so that whoever started it can do harm in between. It imports nothing but the client.
"""

import asyncio
import gc
import json
import logging
import resource
import signal
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Final

from faultwire import ErrorManager

FRAMES: Final = 12
WARM_UP: Final = 100
NOISE: Final = 2_000
NOISE_WORK: Final = 4_000
LANES: Final = ("critical", "high", "medium", "low")


def memory(field: str) -> float:
    """MiB of this process by a field of proc_pid_status(5)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def fail(order: int) -> None:
    raise LookupError(f"order {order} has no price")


def _step(inner: Callable[[int], None], order: int) -> None:
    inner(order)


def deepened(inner: Callable[[int], None], name: str) -> Callable[[int], None]:
    """The same one frame deeper, in a function of its own name."""
    step = FunctionType(_step.__code__.replace(co_name=name, co_qualname=name), globals(), name)

    def call(order: int) -> None:
        step(inner, order)

    return call


def deep_call() -> Callable[[int], None]:
    """A call that fails about twelve frames below its caller."""
    call: Callable[[int], None] = fail
    for number in range(FRAMES // 2 - 1):
        call = deepened(call, f"step_{number}")
    return call


class Beat:
    """How late the loop comes to what is due, and what goes wrong in it."""

    def __init__(self) -> None:
        self.latest = 0.0
        self.mistakes: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self.mistakes.append(str(context.get("exception") or context["message"]))
        )

    async def run(self) -> None:
        while True:
            due = time.perf_counter() + 0.01
            await asyncio.sleep(0.01)
            self.latest = max(self.latest, time.perf_counter() - due)


async def noise() -> list[float]:
    """What a call of the same length takes that does nothing: this machine's own share."""
    took = []
    for _ in range(NOISE):
        started = time.perf_counter()
        sum(range(NOISE_WORK))
        took.append(time.perf_counter() - started)
        await asyncio.sleep(0)
    return sorted(took)


async def report(errors: ErrorManager, call: Callable[[int], None], order: int) -> float:
    """Hand one error over; the seconds that it took."""
    try:
        call(order)
    except LookupError as error:
        started = time.perf_counter()
        await errors.handle_error(error, LANES[order % len(LANES)], {"order": order})
        return time.perf_counter() - started
    raise AssertionError("the call did not fail")


def told(line: str) -> None:
    print(line, flush=True)


async def main(url: str, spool_path: str, events: int) -> None:
    call = deep_call()
    errors = ErrorManager(collapse_storms=False, service="harried", broker_url=url, spool_path=spool_path)
    async with errors:
        for number in range(WARM_UP):
            await report(errors, call, number)
        await asyncio.to_thread(told, "ready")
        await asyncio.to_thread(sys.stdin.readline)
        seconds = array("d", [0.0]) * events  # the harness itself must not grow
        idle = await noise()
        beat = Beat()
        beating = asyncio.create_task(beat.run())
        gc.collect()
        before = memory("VmRSS")
        for number in range(events):
            seconds[number] = await report(errors, call, number)
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        beating.cancel()
        stats = errors.stats()
        closing = time.perf_counter()
    closed = time.perf_counter() - closing
    grown = memory("VmHWM") - before
    took = sorted(seconds)
    felt = {
        "p50_ms": took[events // 2] * 1e3,
        "p99_ms": took[events * 99 // 100] * 1e3,
        "most_ms": took[-1] * 1e3,
        "noise_p99_ms": idle[NOISE * 99 // 100] * 1e3,
        "lag_ms": beat.latest * 1e3,
        "close_seconds": closed,
        "grown_mib": grown,
        "mistakes": beat.mistakes,
        "handled": stats.handled,
        "confirmed": stats.confirmed,
        "spooled": stats.spooled,
        "buffered": stats.buffered,
        "lost": stats.lost,
    }
    await asyncio.to_thread(told, json.dumps(felt))


if __name__ == "__main__":
    logging.getLogger("faultwire").setLevel(logging.CRITICAL)
    if len(sys.argv) > 4:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
