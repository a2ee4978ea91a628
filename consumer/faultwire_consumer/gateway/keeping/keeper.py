"""Decides where the events of a request are kept before it is answered, and passes on what was spooled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final

from faultwire.publish.transport import Busy, Outgoing, Refused, TransportDown
from faultwire.queue.record import RANKS, Record
from faultwire_consumer.gateway.keeping.message import bundles_of, lane_of, message_of, record_of
from faultwire_consumer.gateway.keeping.spool import GatewaySpool, SpoolUnavailableError
from faultwire_consumer.gateway.keeping.spool_file import SpooledRecord
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_consumer.metrics import Metrics
from faultwire_shared.event import Lane
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

CONFIRM_SECONDS: Final = 1.0
"""For the broker's confirm or the store's commit: a slow answer holds the exit of whoever waits for it."""
SHUT_SECONDS: Final = 1.0
"""After a failure, until a request tries a lane again; all others go to disk without a wait."""
LATE_MOST: Final = 1_000
"""Messages whose confirm was not waited for and may still come."""
DRAIN_SECONDS: Final = (0.2, 5.0)
"""Waits between two attempts to pass on what was spooled."""
LOOK_SECONDS: Final = 1.0

Publish = Callable[[Outgoing], Awaitable[None]]
"""Passes one message on, and returns when the broker or the store has it.

It raises `TransportDown` and `Busy` when it may be tried again, and `Refused` when not.
"""

log = get_logger("faultwire.gateway")


class Keeping(StrEnum):
    """The place where the events of a request are."""

    PASSED_ON = "passed_on"
    """The broker has confirmed them, or the store has committed them."""
    SPOOLED = "spooled"
    """On this machine's disk."""
    FULL = "full"
    """Nowhere: the sender is to be told so."""


class Keeper:
    """Keeps events, and passes on what it had to spool: most severe first, as soon as somebody takes it.

    Args:
        publish: passes a message on.
        spool: has what nobody takes now.
        metrics: count where events were kept.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        publish: Publish,
        spool: GatewaySpool,
        *,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spool = spool
        self._publish = publish
        self._metrics = metrics
        self._clock = clock
        self._shut_until: dict[Lane, float] = {}
        self._told_shut = False
        self._late: set[asyncio.Task[None]] = set()
        self._spooled = asyncio.Event()

    async def keep(self, events: Sequence[ReadEvent]) -> Keeping:
        """Keep the events of one request, all of them or none, within little more than a second."""
        left = [record for bundle in await self._pass_on(events) for record in bundle]
        if not left:
            self._count(Keeping.PASSED_ON, len(events))
            return Keeping.PASSED_ON
        if not await self.spool.write(left):
            self._count(Keeping.FULL, len(events))
            return Keeping.FULL
        self._spooled.set()
        self._count(Keeping.PASSED_ON, len(events) - len(left))
        self._count(Keeping.SPOOLED, len(left))
        return Keeping.SPOOLED

    async def run(self) -> None:
        """Pass on what is spooled, for ever."""
        delays = full_jitter_delays(*DRAIN_SECONDS)
        while True:
            try:
                await self.spool.inherit()
                has_gone_on = await self._drain()
            except SpoolUnavailableError:
                has_gone_on = False
            if has_gone_on:
                delays = full_jitter_delays(*DRAIN_SECONDS)
            elif self.spool.waiting:
                await asyncio.sleep(next(delays))
            else:
                await self._wait_for_work()

    async def aclose(self) -> None:
        """Close the spool; what is still being published may arrive, and is spooled too."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        await self.spool.aclose()

    async def _pass_on(self, events: Sequence[ReadEvent]) -> list[list[Record]]:
        """Publish what may be published now; return what was not confirmed in time."""
        bundles = bundles_of(map(record_of, events))
        open_ones = [bundle for bundle in bundles if self._may_try(lane_of(bundle[0]))]
        left = [bundle for bundle in bundles if bundle not in open_ones]
        tasks = {asyncio.create_task(self._send(bundle)): bundle for bundle in open_ones}
        if not tasks:
            return left
        for task in tasks:
            self._late.add(task)
            task.add_done_callback(self._forget)
        await asyncio.wait(tasks, timeout=CONFIRM_SECONDS)
        for task, bundle in tasks.items():
            if task.done() and not task.cancelled() and task.exception() is None:
                continue
            self._shut(lane_of(bundle[0]), _reason_of(task))
            left.append(bundle)
        return left

    async def _send(self, bundle: Sequence[Record]) -> None:
        await self._publish(message_of(bundle))
        self._reopen(lane_of(bundle[0]))

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # of one that came late: its events were spooled

    def _may_try(self, lane: Lane) -> bool:
        """Return whether a lane takes events; one request at a time finds out again after a failure."""
        until, now = self._shut_until.get(lane), self._clock()
        if until is None:
            return len(self._late) < LATE_MOST
        if now < until:
            return False
        self._shut_until[lane] = now + SHUT_SECONDS
        return True

    def _shut(self, lane: Lane, why: str) -> None:
        self._shut_until[lane] = self._clock() + SHUT_SECONDS
        if not self._told_shut:
            self._told_shut = True
            log.warning("gateway.spooling", lane=lane, why=why, path=self.spool.directory)

    def _reopen(self, lane: Lane) -> None:
        self._shut_until.pop(lane, None)
        if self._told_shut and not self._shut_until:
            self._told_shut = False
            log.info("gateway.passing_on", spooled=self.spool.waiting)

    async def _drain(self) -> bool:
        """Pass on one message's worth of the most severe lane that has any and takes it; whether any went."""
        tried: set[Lane] = set()
        for rank in RANKS:
            spooled = await self.spool.take(rank)
            lane = lane_of(spooled[0].record) if spooled else None
            if lane is None or lane in tried:
                continue
            tried.add(lane)
            if await self._drain_some(spooled, lane):
                return True
        return False

    async def _drain_some(self, spooled: Sequence[SpooledRecord], lane: Lane) -> bool:
        rows = {one.record.event_id: one.row for one in spooled}
        gone: list[int] = []
        try:
            for bundle in bundles_of(one.record for one in spooled):
                gone += [rows[record.event_id] for record in await self._publish_or_refuse(bundle, rows)]
        except (TransportDown, Busy) as error:
            self._shut(lane, str(error))
        else:
            self._reopen(lane)
        if gone:
            await self.spool.delete(gone)
        return bool(gone)

    async def _publish_or_refuse(self, bundle: Sequence[Record], rows: dict[str, int]) -> list[Record]:
        """Publish a message, or its events one by one where it is refused for one of them; what went."""
        try:
            await self._publish(message_of(bundle))
        except Refused as error:
            if len(bundle) > 1:
                return [one for each in bundle for one in await self._publish_or_refuse([each], rows)]
            log.warning("gateway.refused", error_id=bundle[0].event_id, why=str(error))
            await self.spool.refuse([rows[bundle[0].event_id]])
            return []
        return list(bundle)

    async def _wait_for_work(self) -> None:
        self._spooled.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._spooled.wait()
        except TimeoutError:
            return

    def _count(self, keeping: Keeping, events: int) -> None:
        if events:
            self._metrics.gateway_events.labels(keeping).inc(events)


def _reason_of(task: asyncio.Task[None]) -> str:
    if not task.done():
        return f"no answer within {CONFIRM_SECONDS:g} s"
    error = None if task.cancelled() else task.exception()
    return str(error) or type(error).__name__
