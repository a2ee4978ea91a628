"""What one call costs its caller: our client, sentry-sdk and logging by turns, 12 frames deep.

``python capturing.py DIRECTORY`` prints every call's seconds as one line of JSON.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import sentry_sdk
from sentry_sdk.transport import Transport
from tests.benchmarks.confirming import Confirming
from tests.tools.harried import deep_call

from faultwire import ErrorManager

BLOCKS: Final = 12
CALLS: Final = 100
WARM_UP: Final = 20
SENTRY_DSN: Final = "http://key@127.0.0.1/1"

Call = Callable[[BaseException, int], object]
Candidate = Callable[[BaseException, int], Awaitable[object]] | Call


class JsonFormatter(logging.Formatter):
    """A line of JSON with the trace as text, as services write them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def logging_to(path: Path) -> Call:
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    return lambda error, number: logger.error("order %d failed", number, exc_info=error)


class Dropping(Transport):
    """sentry-sdk's transport that drops."""

    def capture_envelope(self, envelope: object) -> None:
        return


def sentry(**options: Any) -> Call:
    """``capture_exception`` with a transport that drops."""
    client = sentry_sdk.Client(dsn=SENTRY_DSN, transport=Dropping, **options)

    def call(error: BaseException, _: int) -> object:
        sentry_sdk.get_global_scope().set_client(client)
        return sentry_sdk.capture_exception(error)

    return call


async def measure_calls(spool_path: str) -> dict[str, list[float]]:
    """The seconds of each call, block by block in turns, so that the machine's moods are shared out."""
    options: dict[str, Any] = {"service": "shop", "transport": Confirming}
    full = ErrorManager(**options, spool_path=f"{spool_path}/full", collapse_storms=False)
    storm = ErrorManager(**options, spool_path=f"{spool_path}/storm")
    variables = ErrorManager(
        **options, spool_path=f"{spool_path}/variables", collapse_storms=False, include_locals="own"
    )
    candidates: dict[str, Candidate] = {
        "nowait": lambda error, number: full.handle_error_nowait(error, context={"order": number}),
        "awaited": lambda error, number: full.handle_error(error, context={"order": number}),
        "variables": lambda error, number: variables.handle_error_nowait(error, context={"order": number}),
        "alone": lambda error, number: storm.handle_error_nowait(error, fingerprint=[str(number)]),
        "collapsed": lambda error, number: storm.handle_error_nowait(error, context={"order": number}),
        "sentry": sentry(),
        "sentry, lean": sentry(include_local_variables=False, include_source_context=False),
        "logging": logging_to(Path(spool_path) / "log.json"),
    }
    took: dict[str, list[float]] = {name: [] for name in candidates}
    call = deep_call()
    async with full, storm, variables:
        for block in range(BLOCKS):
            for name, candidate in candidates.items():
                for number in range(WARM_UP + CALLS):
                    seconds = await timed(call, candidate, block * 1_000 + number)
                    if number >= WARM_UP:
                        took[name].append(seconds)
                assert await full.flush(30)
                assert await storm.flush(30)
                assert await variables.flush(30)
        assert (full.stats().lost, storm.stats().lost, variables.stats().lost) == ({}, {}, {})
        assert storm.stats().collapsed > BLOCKS * CALLS
    return took


async def timed(call: Callable[[int], None], candidate: Candidate, number: int) -> float:
    try:
        call(number)
    except LookupError as error:
        started = time.perf_counter()
        answer = candidate(error, number)
        if isinstance(answer, Awaitable):
            await answer
        return time.perf_counter() - started
    raise AssertionError("the call did not fail")


if __name__ == "__main__":
    logging.getLogger("faultwire").setLevel(logging.CRITICAL)
    print(json.dumps(asyncio.run(measure_calls(sys.argv[1]))))
