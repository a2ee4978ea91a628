"""Rehearsals as a worker gives them: one at a time, each in a process of its own, with bounds."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.rehearsal.report import RehearsalReport
from faultwire_consumer.rehearsal.bound import EVENTS_MAX, SECONDS_MAX, Progress
from faultwire_consumer.rehearsal.wire import Line, Order
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import ConflictError, ValidationError

SETTLED: Final = timedelta(seconds=5)
"""A batch that was received this long ago is committed, or was given back."""
GRACE_SECONDS: Final = 60.0
"""Time beyond a rehearsal's own bound, for its beginning and its report; then it is killed."""
_LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest report: its lists have a thousand notifications each, with texts of bounded lengths."""

log = get_logger(__name__)


class RehearsalBusyError(ValidationError):
    """Another rehearsal runs on this worker."""

    code = "REHEARSAL_BUSY"
    status = 429


class RehearsalFailedError(ConflictError):
    """There is no report: the history cannot be read, or the rehearsal's process ended."""

    code = "REHEARSAL_FAILED"


class RehearsalAsked(Struct, frozen=True, kw_only=True):
    """A rehearsal that somebody wants; its policies were read and are valid."""

    policy: str
    since: timedelta
    against: str | None = None
    against_policy: str = ""


class RehearsalSource(Struct, frozen=True):
    """The database with the history."""

    url: str
    read_url: str | None = None
    """Of a read replica, which is asked instead."""


class Rehearser:
    """Runs rehearsals.

    Args:
        source: the database with the history.
        clock: the worker's.
        is_replica_used: whether the replica is fresh enough to be asked.
        seconds_max: the time of one rehearsal.
        events_max: the events of one.
    """

    def __init__(
        self,
        source: RehearsalSource,
        *,
        clock: Clock,
        is_replica_used: Callable[[], bool] = lambda: True,
        seconds_max: float = SECONDS_MAX,
        events_max: int = EVENTS_MAX,
    ) -> None:
        self._source = source
        self._clock = clock
        self._is_replica_used = is_replica_used
        self._seconds_max = seconds_max
        self._events_max = events_max
        self._is_running = False
        self.progress: Progress | None = None
        """Of the one that runs; None while none does."""

    async def run(self, asked: RehearsalAsked) -> RehearsalReport:
        """Rehearse, and wait for the report.

        Raises:
            RehearsalBusyError: another one runs.
            RehearsalFailedError: it did not end well; the text says why.
        """
        if self._is_running:
            raise RehearsalBusyError("another rehearsal runs on this worker; ask again in a moment")
        self._is_running, self.progress = True, Progress(0, 0)
        try:
            return await self._run(self._order(asked, self._clock() - SETTLED))
        finally:
            self._is_running, self.progress = False, None

    def _order(self, asked: RehearsalAsked, until: datetime) -> Order:
        read_url = self._source.read_url if self._is_replica_used() else None
        return Order(
            database_url=read_url or self._source.url,
            is_replica=read_url is not None,
            policy=asked.policy,
            since=until - asked.since,
            until=until,
            against=asked.against,
            against_policy=asked.against_policy,
            events_max=self._events_max,
            seconds_max=self._seconds_max,
        )

    async def _run(self, order: Order) -> RehearsalReport:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "faultwire_consumer.rehearsal"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        try:
            async with asyncio.timeout(order.seconds_max + GRACE_SECONDS):
                return await self._talk(process, order)
        except TimeoutError:
            raise RehearsalFailedError("the rehearsal did not end in its time, and was stopped") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _talk(self, process: asyncio.subprocess.Process, order: Order) -> RehearsalReport:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        with suppress(ConnectionError):  # it ended at once; what it says is nothing
            process.stdin.write(msgspec.json.encode(order))
            await process.stdin.drain()
            process.stdin.close()
        async for text in process.stdout:
            line = msgspec.json.decode(text, type=Line)
            if line.progress is not None:
                self.progress = line.progress
            if line.failure is not None:
                raise RehearsalFailedError(f"nothing was rehearsed: {line.failure}")
            if line.report is not None:
                return line.report
            if line.fault is not None:
                log.error("rehearsal.failed", why=line.fault)
        raise RehearsalFailedError("the process of the rehearsal ended without a report")
