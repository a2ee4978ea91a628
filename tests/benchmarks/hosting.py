"""A service as users run it: default options, the log line, the spool, and a real broker.

``python hosting.py CANDIDATE URL``; each line of its stdin, ``nowait 100 0.002``, asks for a block of so many
errors with so many seconds between them, and is answered by what each call took, as JSON. Its log goes to
stderr, which somebody has to read. Two hundred kinds of errors come in turns, so that none is a storm.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.benchmarks.confirming import Confirming
from tests.tools.harried import deepened

from faultwire import ErrorManager, configure_logging

KINDS: Final = 200
DEPTH: Final = 5
WARM_UP: Final = 10

Call = Callable[[BaseException, int], object]
Calls = dict[str, Call]
Fail = Callable[[int], None]


@asynccontextmanager
async def faultwire_calls(candidate: str, url: str) -> AsyncIterator[Calls]:
    """The client as it is by default, or without one of its parts."""
    options: dict[str, Any] = {"broker_url": url}
    if candidate in ("unspooled", "in memory"):
        options["spool_path"] = ""
    if candidate == "in memory":
        options |= {"broker_url": None, "transport": Confirming}
    async with ErrorManager(service="shop", **options) as errors:
        await errors.handle_error(ValueError("connects"), "low", durability="confirmed")
        yield {
            "nowait": lambda error, number: errors.handle_error_nowait(error, context={"order": number}),
            "awaited": lambda error, number: errors.handle_error(error, context={"order": number}),
            "flush": lambda _, __: errors.flush(30),
        }
        stats = errors.stats()
    assert (stats.lost, stats.collapsed, stats.confirmed) == ({}, 0, stats.handled), stats


@asynccontextmanager
async def sentry_calls() -> AsyncIterator[Calls]:
    """sentry-sdk as it is by default, but that what it would send is dropped at no cost."""
    import sentry_sdk  # noqa: PLC0415 - it patches what the other candidates use
    from tests.benchmarks.capturing import SENTRY_DSN, Dropping  # noqa: PLC0415 - as above

    sentry_sdk.init(dsn=SENTRY_DSN, transport=Dropping)
    yield {"nowait": lambda error, _: sentry_sdk.capture_exception(error)}


def raiser(kind: int) -> Fail:
    """A call that fails twelve frames deep, in code of its own and with an exception of its own type."""
    failure = type(f"Step{kind}Error", (LookupError,), {})

    def fail(order: int) -> None:
        raise failure(f"order {order} has no price")

    call: Fail = fail
    for depth in range(DEPTH):
        call = deepened(call, f"step_{kind}_{depth}")
    return call


def configure_log(candidate: str) -> None:
    if candidate == "own line":
        configure_logging("faultwire", None)
    elif candidate != "unlogged":
        logging.basicConfig(level=logging.INFO)


class Host:
    """Fails, and hands over what was raised."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._fails: list[Fail] = [raiser(kind) for kind in range(KINDS)]
        self._number = 0

    async def warm_up(self) -> None:
        for _ in range(KINDS):
            await self._one(self._calls["nowait"])

    async def block(self, kind: str, count: int, pause: float) -> dict[str, list[float]]:
        wall, cpu = [], []
        for number in range(WARM_UP + count):
            took = await self._one(self._calls[kind])
            if number >= WARM_UP:
                wall.append(took[0])
                cpu.append(took[1])
            await asyncio.sleep(pause)
        flush = self._calls.get("flush")
        if flush is not None:
            assert await flush(Exception(), 0)  # type: ignore[misc]  # the client's
        return {"wall": wall, "cpu": cpu}

    async def _one(self, call: Call) -> tuple[float, float]:
        """The seconds that a call took, and those of its thread's CPU."""
        self._number += 1
        try:
            self._fails[self._number % KINDS](self._number)
        except LookupError as error:
            cpu, started = time.thread_time(), time.perf_counter()
            answer = call(error, self._number)
            if isinstance(answer, Awaitable):
                await answer
            return time.perf_counter() - started, time.thread_time() - cpu
        raise AssertionError("the call did not fail")


async def main(candidate: str, url: str) -> None:
    configure_log(candidate)
    making = sentry_calls() if candidate == "sentry" else faultwire_calls(candidate, url)
    async with making as calls:
        host = Host(calls)
        await host.warm_up()
        while order := await asyncio.to_thread(sys.stdin.readline):
            kind, count, pause = order.split()
            took = await host.block(kind, int(count), float(pause))
            await asyncio.to_thread(print, json.dumps(took), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
