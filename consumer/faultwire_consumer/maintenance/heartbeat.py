"""A dead-man's switch: a sign of life to an address, only while the pipeline really moves.

Whoever listens there notices a worker that is gone, frozen, cut off or stuck, which no worker can tell
of itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.upkeep.leases import acquire_lease
from faultwire_shared import __version__
from faultwire_shared.clock import Clock
from faultwire_shared.health import HealthChecker
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "heartbeat"
"""Written before each heartbeat, so that a store that only answers questions stops it."""
BEAT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 10.0
"""Limit of the look whether all is well."""

WhyStuck = Callable[[], Awaitable[str]]
"""Tells why no heartbeat may go out now; empty if one may."""

log = get_logger(__name__)


class HeartbeatError(Exception):
    """The last heartbeat did not go out; the text says why."""


class Heartbeat:
    """Asks for an address again and again, while nothing is stuck.

    Args:
        url: where somebody listens. All but its host may be a secret, and is never shown.
        every_seconds: time between two heartbeats.
        why_stuck: asked before each.
        metrics: counts them by outcome.
        sleep: waits.
    """

    def __init__(
        self,
        url: str,
        *,
        every_seconds: float,
        why_stuck: WhyStuck,
        metrics: Metrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._every_seconds = every_seconds
        self._why_stuck = why_stuck
        self._metrics = metrics
        self._sleep = sleep
        self._trouble: str | None = "none has gone out yet"

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await self.beat()
            await self._sleep(self._every_seconds)

    async def beat(self) -> bool:
        """Send one heartbeat unless something is stuck; return True if it was taken."""
        stuck = await self._look()
        if stuck:
            self._note("withheld", f"withheld: {stuck}")
            return False
        failed = await self._ask()
        self._note("failed" if failed else "sent", failed or None)
        return not failed

    async def check(self) -> None:
        """Pass if the last heartbeat was taken.

        Raises:
            HeartbeatError: it was withheld, or not taken.
        """
        if self._trouble is not None:
            raise HeartbeatError(self._trouble)

    async def _look(self) -> str:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._why_stuck()
        except TimeoutError:
            return f"it took longer than {LOOK_SECONDS:g} s to see whether all is well"

    async def _ask(self) -> str:
        """Ask for the address once; return why it was not taken, without anything secret."""
        host = urlsplit(self._url).hostname
        limit = aiohttp.ClientTimeout(total=BEAT_SECONDS)
        headers = {"User-Agent": f"faultwire/{__version__}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self._url, headers=headers, allow_redirects=False) as answer,
            ):
                is_taken = 200 <= answer.status < 300
                return "" if is_taken else f"{host} answered {answer.status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"no answer from {host}: {type(error).__name__}"

    def _note(self, outcome: str, trouble: str | None) -> None:
        """Count it, and log when the outcome becomes another one."""
        self._metrics.heartbeats.labels(outcome=outcome).inc()
        if trouble is not None and trouble != self._trouble:
            log.warning("heartbeat.missed", why=trouble)
        elif trouble is None and self._trouble is not None:
            log.info("heartbeat.began")
        self._trouble = trouble


async def why_not_moving(ready: HealthChecker, store: Store, holder: str, *, clock: Clock) -> str:
    """Tell which check of readiness fails, or that the store takes no writes; empty where all moves."""
    report = await ready.run_checks()
    failing = [check["name"] for check in report["checks"] if check["status"] == "fail"]
    if failing:
        return f"failing: {', '.join(failing)}"
    try:
        await acquire_lease(store, LEASE, holder, now=clock(), seconds=1.0)
    except Exception as error:  # noqa: BLE001 - whatever the store says, it takes no writes
        return f"the store takes no writes: {type(error).__name__}"
    return ""
