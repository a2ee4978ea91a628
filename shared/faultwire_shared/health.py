"""Named asynchronous health checks: run side by side, each under its timeout, never piling up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

CheckResult = Mapping[str, Any] | float | None
Check = Callable[[], Awaitable[CheckResult]]

CACHE_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 0.8
_ERROR_CHARACTERS: Final = 200


class Probe(Struct, frozen=True):
    """A named check and the seconds it may take."""

    name: str
    ping: Check
    timeout: float = TIMEOUT_SECONDS


class ProbeResult(Struct, frozen=True, omit_defaults=True):
    """How one probe went: ``response_time`` in seconds where it passed, ``error`` where it failed."""

    name: str
    status: Literal["pass", "fail"]
    response_time: float | None = None
    error: str | None = None


class Report(Struct, frozen=True):
    """All probes at one moment; healthy means that every one passed."""

    status: Literal["healthy", "unhealthy"]
    checks: tuple[ProbeResult, ...]


class HealthChecker:
    """Runs the checks that were added to it and remembers the answer for a second.

    A check returns nothing, a number or a mapping with ``response_time`` (seconds), and fails
    by raising. Callers that come while a run is under way share its answer, so probes can not
    pile up behind a dependency that hangs.
    """

    def __init__(
        self,
        *,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._probes: list[Probe] = []
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._redact = redact
        self._running: asyncio.Task[Report] | None = None
        self._report: Report | None = None
        self._reported_at = 0.0

    def add_check(self, name: str, check: Check, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Add a check; ``timeout`` in seconds."""
        self._probes.append(Probe(name, check, timeout))

    async def run_checks(self) -> Report:
        """Run every check, or share the run that is under way or at most a second old."""
        if self._report is not None and self._clock() - self._reported_at < self._cache_seconds:
            return self._report
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return await asyncio.shield(self._running)

    async def _run_all(self) -> Report:
        checks = await asyncio.gather(*(self._run(probe) for probe in self._probes))
        healthy = all(check.status == "pass" for check in checks)
        self._report = Report("healthy" if healthy else "unhealthy", tuple(checks))
        self._reported_at = self._clock()
        return self._report

    async def _run(self, probe: Probe) -> ProbeResult:
        started = self._clock()
        check = asyncio.ensure_future(probe.ping())
        try:
            # wait, not wait_for: a check that resists its cancellation must not hold the answer.
            done, _ = await asyncio.wait({check}, timeout=probe.timeout)
            if not done:
                check.cancel()
                return ProbeResult(probe.name, "fail", error=f"no answer within {probe.timeout:g} s")
            return ProbeResult(probe.name, "pass", _response_time(check.result(), self._clock() - started))
        except asyncio.CancelledError:
            if not check.cancelled():
                check.cancel()
                raise
            return ProbeResult(probe.name, "fail", error="the check was cancelled")
        except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer: fail
            text = str(error).partition("\n")[0] or type(error).__name__
            return ProbeResult(probe.name, "fail", error=self._redact(text)[:_ERROR_CHARACTERS])


def _response_time(result: CheckResult, elapsed: float) -> float:
    match result:
        case bool():
            return elapsed
        case int() | float():
            return float(result)
        case Mapping():
            return float(result.get("response_time", elapsed))
        case _:
            return elapsed
