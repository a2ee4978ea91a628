"""Named health checks: run side by side, each under its timeout, never piling up."""

import asyncio
import inspect
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, NotRequired, TypedDict

from msgspec import Struct

from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.redact import redact_secrets
from faultwire_shared.snapshot import clean_text
from faultwire_shared.text import printable

CheckResult = Mapping[str, Any] | float | bool | None
Check = Callable[[], Awaitable[CheckResult] | CheckResult]
"""A coroutine function, or a plain one, which is called in a thread. A check that raises has failed."""

CACHE_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 0.8
"""Leaves room for the rest of an answer within the second that orchestrators wait by default."""
_ERROR_CHARACTERS: Final = 200
_READ_CHARACTERS: Final = 2000
_FAILED: Final = frozenset(("fail", "failed", "error", "down", "unhealthy", "critical"))
"""Words for the ``status`` of what is not well, of checks as they are usually written."""


class CheckReport(TypedDict):
    """Result of one check: ``response_time`` in seconds if it passed, ``error`` if it did not.

    ``warn`` is the status of a check that did not pass and is not required.
    """

    name: str
    status: Literal["pass", "warn", "fail"]
    response_time: NotRequired[float]
    error: NotRequired[str]


class Report(TypedDict):
    """All checks at one moment, in the order they were added; healthy if no required check failed."""

    status: Literal["healthy", "unhealthy"]
    checks: list[CheckReport]


class Probe(Struct, frozen=True):
    """A named check and the seconds it may take."""

    name: str
    ping: Check
    timeout: float = TIMEOUT_SECONDS
    required: bool = True


class _Asked(Struct):
    """A running check; a thread cannot be cancelled, so it is watched in addition to the task."""

    since: float
    task: asyncio.Task[CheckResult] | None = None
    thread: asyncio.Future[Any] | None = None

    @property
    def is_running(self) -> bool:
        # What belongs to a loop that was closed is never done.
        return any(
            part is not None and not part.done() and not part.get_loop().is_closed()
            for part in (self.task, self.thread)
        )


class CheckFailedError(Exception):
    """A check said that all is not well, or ended by what no task can carry, as ``sys.exit`` does."""


class HealthChecker:
    """Runs the checks that were added to it and remembers the answer for a second.

    A check returns nothing, a number or a mapping with ``response_time`` (seconds), and fails
    by raising, by being cancelled, by taking longer than its timeout, or by an answer that says so:
    ``False``, or a mapping whose ``status`` is ``fail`` (``down``, ``error``, ``unhealthy``), with its
    ``error`` as the text. Callers that come during a run share its answer, and a check that still hangs is
    not started again: nothing piles up behind a dependency that does not answer.

    Args:
        cache_seconds: maximum age of an answer.
        clock: monotonic seconds.
        redact: removes what must not be shown from an error's text.
    """

    def __init__(
        self,
        *,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        redact: Callable[[str], str] = redact_secrets,
    ) -> None:
        self._probes: dict[str, Probe] = {}
        self._asked: dict[str, _Asked] = {}
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._redact = redact
        self._running: asyncio.Task[Report] | None = None
        self._report: Report | None = None
        self._reported_at = 0.0

    def add_check(
        self, name: str, check: Check, *, timeout: float = TIMEOUT_SECONDS, required: bool = True
    ) -> None:
        """Add a check; ``timeout`` in seconds. One that is not ``required`` warns instead of failing.

        Raises:
            ValueError: there is a check of that name.
        """
        if name in self._probes:
            raise ValueError(f"there is a check named {name!r} already")
        self._probes[name] = Probe(name, check, timeout, required)

    async def run_checks(self) -> Report:
        """Run every check, or share a run that is in progress or at most a second old.

        Returns:
            ``{"status": "healthy" | "unhealthy", "checks": [{"name", "status": "pass" | "warn" | "fail",
            "response_time" | "error"}]}``, a separate copy for each caller.
        """
        if self._report is None or self._clock() - self._reported_at >= self._cache_seconds:
            running = self._running
            if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
                running = self._running = asyncio.create_task(self._run_all())
            return _copy(await asyncio.shield(running))
        return _copy(self._report)

    async def _run_all(self) -> Report:
        checks = await asyncio.gather(*(self._run(probe) for probe in self._probes.values()))
        healthy = all(check["status"] != "fail" for check in checks)
        self._report = Report(status="healthy" if healthy else "unhealthy", checks=list(checks))
        self._reported_at = self._clock()
        return self._report

    async def _run(self, probe: Probe) -> CheckReport:
        before = self._asked.get(probe.name)
        started = self._clock()
        if before is not None and before.is_running:
            return _fail(probe, f"no answer for {started - before.since:.1f} s")
        asked = self._asked[probe.name] = _Asked(started)
        task = asked.task = asyncio.create_task(_ask(probe.ping, asked))
        task.add_done_callback(_ignore_error)
        try:
            # wait, not wait_for: a check that resists its cancellation must not delay the answer.
            done, _ = await asyncio.wait({task}, timeout=probe.timeout)
            if not done:
                task.cancel()
                return _fail(probe, f"no answer within {probe.timeout:g} s")
            result = task.result()
            _check_answer(result)
            seconds = _response_time(result, self._clock() - started)
            return CheckReport(name=probe.name, status="pass", response_time=seconds)
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
            return _fail(probe, "the check was cancelled")
        except BaseException as error:  # noqa: BLE001 - whatever a check raises is its answer: fail
            pass_interruption(error)
            return _fail(probe, self._text_of(error))

    def _text_of(self, error: BaseException) -> str:
        try:
            text = str(error).strip().partition("\n")[0]
        except BaseException as failure:  # noqa: BLE001 - a foreign __str__ may raise anything
            pass_interruption(failure)
            text = ""
        redacted = self._redact(text[:_READ_CHARACTERS]) or type(error).__name__
        return printable(redacted[:_ERROR_CHARACTERS])


def _copy(report: Report) -> Report:
    return Report(status=report["status"], checks=[check.copy() for check in report["checks"]])


def _fail(probe: Probe, text: str) -> CheckReport:
    return CheckReport(name=probe.name, status="fail" if probe.required else "warn", error=text)


async def _ask(check: Check, asked: _Asked) -> CheckResult:
    try:
        if inspect.iscoroutinefunction(check):
            result: Any = check()
        else:
            asked.thread = _in_thread(check)
            result = await asyncio.shield(asked.thread)
        if inspect.isawaitable(result):
            result = await result
    except SystemExit as error:  # a task that ends by it ends the loop
        raise _as_failure(error) from error
    answer: CheckResult = result
    return answer


def _as_failure(error: BaseException) -> CheckFailedError:
    return CheckFailedError(f"{type(error).__name__}: {clean_text(error)}".removesuffix(": "))


def _check_answer(result: CheckResult) -> None:
    """Read what the check itself says.

    Raises:
        CheckFailedError: that all is not well.
    """
    if result is False:
        raise CheckFailedError("the check returned False")
    if isinstance(result, Mapping) and str(result.get("status", "")).strip().lower() in _FAILED:
        raise CheckFailedError(clean_text(result.get("error") or f"the check says {result['status']}"))


def _in_thread(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """Call in a daemon thread: an executor's thread that hangs would keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    future.add_done_callback(_ignore_error)

    def settle(set_value: Callable[[Any], None], value: object) -> None:
        if not future.done():
            set_value(value)

    def run() -> None:
        try:
            outcome: tuple[Callable[[Any], None], object] = future.set_result, function()
        except BaseException as error:  # noqa: BLE001 - it is raised where the check is awaited
            # No future takes the others: it would never be done.
            is_fit = isinstance(error, Exception) and not isinstance(error, StopIteration)
            outcome = future.set_exception, error if is_fit else _as_failure(error)
        with suppress(RuntimeError):  # the loop is closed, nothing waits
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="faultwire health", daemon=True).start()
    return future


def _ignore_error(future: asyncio.Future[Any]) -> None:
    """Retrieve and ignore an error that a check raises after its timeout, which asyncio would log."""
    if not future.cancelled():
        future.exception()


def _response_time(result: CheckResult, elapsed: float) -> float:
    """Return the seconds that the check reports, else those measured."""
    reported: Any = result.get("response_time") if isinstance(result, Mapping) else result
    if reported is None or isinstance(reported, bool):
        return elapsed
    seconds = float(reported)
    return seconds if math.isfinite(seconds) and seconds >= 0 else elapsed
