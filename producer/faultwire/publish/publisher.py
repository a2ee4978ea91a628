"""The loop from the buffer to the transport: a window of confirms per lane, and a supervised connection.

Like Nagle's algorithm: with no confirm outstanding an event goes at once, alone if it is alone;
otherwise what piles up meanwhile goes as one batch message. A quiet service has the latency of
single messages, a flood the cost of batches.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from faultwire.audit.loss import LOG_SECONDS, Losses, LossReason
from faultwire.publish.pace import Delays, Pace
from faultwire.publish.trace_header import trace_headers
from faultwire.publish.transport import Busy, Denied, Outgoing, Refused, Transport, TransportDown
from faultwire.queue.buffer import Buffer
from faultwire.queue.spool import Spool
from faultwire.queue.ticket import CONFIRMED, SPOOLED, Ticket, refused
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, encode_batch
from faultwire_shared.event import Lane

DRAIN_WINDOW: Final = 4
"""Messages from the spool that may wait for their confirm at the same time, of all lanes together."""
RECONNECT_SECONDS: Final = 4.0
"""The longest wait before the next attempt, so that a broker that is back has a confirm within 5 s."""
BUSY_SECONDS: Final = 2.0
RETRY_AFTER_MAXIMUM: Final = 30.0
_LOOK_SECONDS: Final = 0.02

logger: logging.Logger = logging.getLogger("faultwire")


class _LaneState:
    """The publisher's knowledge of one lane."""

    __slots__ = ("busy_delays", "in_flight", "in_flight_bytes", "paused", "wake")

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.paused = False
        self.busy_delays: Iterator[float] | None = None


class Publisher:
    """Publishes what the buffer holds until it is cancelled; belongs to one event loop."""

    def __init__(
        self,
        buffer: Buffer,
        transport: Transport,
        losses: Losses,
        *,
        delays: Delays,
        spool: Spool | None = None,
    ) -> None:
        self.connected: asyncio.Event = asyncio.Event()
        self._spool = spool
        self._drain_wake = asyncio.Event()
        self._draining = 0
        self._failing = False
        self._buffer = buffer
        self._transport = transport
        self._losses = losses
        self._delays = delays
        self._lanes = {lane: _LaneState() for lane in Lane}
        self._pace = Pace()
        self._generation = 0
        self._lost = asyncio.Event()
        self._reconnects: Iterator[float] | None = None
        self._progress = asyncio.Event()
        self._said: set[bool] = set()
        """The stories that were told: of a client that is not let in, of a lost connection."""
        self._said_at: dict[bool, float] = {}

    def wake(self, lane: Lane) -> None:
        """Say that the lane holds something new; for the publisher's own thread."""
        self._lanes[lane].wake.set()

    def wake_drain(self) -> None:
        """Say that the spool holds something to publish."""
        self._drain_wake.set()

    async def say(self, message: Outgoing) -> bool:
        """Publish something other than an event, outside the lanes, without retries; True if confirmed."""
        if not self.connected.is_set() or self._lanes[Lane.ROUTINE].paused:
            return False
        try:
            await self._transport.publish(message)
        except (Busy, Refused, TransportDown):  # the next event, or the watch, meets the same
            return False
        return True

    async def run(self) -> None:
        """Publish until cancelled; the transport is closed at the end."""
        while True:
            # A task of its own: on 3.11 a failed task group leaves its task marked as being cancelled.
            running = asyncio.create_task(self._run_tasks())
            try:
                await running
            except Exception as error:
                # A mistake in here must neither reach the host nor end its reports.
                logger.warning("publisher.failed", extra={"event": "publisher.failed"}, exc_info=error)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _run_tasks(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._supervise())
                for lane in Lane:
                    group.create_task(self._run_lane(lane, group))
                if self._spool is not None:
                    group.create_task(self._run_drain(self._spool, group))
        finally:
            self.connected.clear()
            await self._transport.aclose()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is in memory, for at most ``seconds``; True if that was reached.

        What is on disk is waited for as well, unless the other side is known to be away.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._buffer.held or (self._buffer.spooled and not self._failing):
                    self._progress.clear()
                    # The spool's thread takes events too, and tells nobody. Not by `wait_for`: on 3.11 it
                    # drops a cancellation that comes with the progress, and with it the time's end.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_SECONDS):
                            await self._progress.wait()
        except TimeoutError:
            return not self._buffer.held
        return True

    async def _supervise(self) -> None:
        while True:
            try:
                await self._transport.open()
            except TransportDown as error:
                self._be_away()
                self._tell_lost(error)
            else:
                await self._until_lost()
                await self._transport.aclose()
            if self._reconnects is None:
                self._reconnects = self._delays(RECONNECT_SECONDS)
            await asyncio.sleep(next(self._reconnects))

    def _be_away(self) -> None:
        """Let what is in memory wait for no confirm any more: it goes to the disk, where there is one."""
        self._buffer.is_away = True
        if self._spool is not None:
            self._spool.bell.ring()

    async def _until_lost(self) -> None:
        self._generation += 1
        self._lost.clear()
        self._buffer.is_away = False
        self.connected.set()
        for state in self._lanes.values():
            state.wake.set()
        self._drain_wake.set()
        watching = asyncio.create_task(self._transport.watch())
        watching.add_done_callback(lambda _: self._lost.set())
        try:
            await self._lost.wait()
        finally:
            self._be_away()
            self.connected.clear()
            watching.cancel()
            await asyncio.wait((watching,))
        if not watching.cancelled():
            self._tell_lost(watching.exception() or TransportDown("the connection was closed"))

    async def _run_lane(self, lane: Lane, group: asyncio.TaskGroup) -> None:
        state = self._lanes[lane]
        while True:
            if self._may_send(lane, state):
                tickets = self._buffer.take(lane, self._pace.events)
                if not tickets:  # the spool's thread took them in between
                    continue
                size = sum(len(ticket.body) for ticket in tickets)  # what is settled holds its body no more
                state.in_flight += 1
                state.in_flight_bytes += size
                sending = group.create_task(self._send(lane, tickets, self._generation))
                # A callback, as a task that is cancelled before its start runs no `finally`.
                sending.add_done_callback(partial(self._after_send, lane, tickets, size))
            else:
                state.wake.clear()
                await state.wake.wait()

    async def _run_drain(self, spool: Spool, group: asyncio.TaskGroup) -> None:
        """Publish from the spool, the most severe lane first, alongside what is new."""
        while True:
            self._drain_wake.clear()
            lanes = [lane for lane, state in self._lanes.items() if not state.paused]
            tickets = []
            window = min(DRAIN_WINDOW, self._pace.window)
            if self.connected.is_set() and spool.waiting and lanes and self._draining < window:
                tickets = await spool.take(lanes)
            if not tickets:
                await self._drain_wake.wait()
                continue
            spool.release(tickets[self._pace.events :])
            del tickets[self._pace.events :]
            self._draining += 1
            sending = group.create_task(self._send(tickets[0].lane, tickets, self._generation))
            sending.add_done_callback(partial(self._after_drain, spool, tickets))

    def _after_drain(self, spool: Spool, tickets: list[Ticket], _: asyncio.Task[None]) -> None:
        self._draining -= 1
        spool.release(tickets)
        self._drain_wake.set()
        self._progress.set()

    def _may_send(self, lane: Lane, state: _LaneState) -> bool:
        if state.paused or not self.connected.is_set() or not self._buffer.waits(lane):
            return False
        if not self._pace.allows(state.in_flight, state.in_flight_bytes):
            return False
        return state.in_flight == 0 or self._buffer.fills_batch(lane, self._pace.events)

    async def _send(self, lane: Lane, tickets: list[Ticket], generation: int) -> None:
        state = self._lanes[lane]
        try:
            await self._deliver(tickets)
            state.busy_delays = None
        except Busy as error:
            self._pause(state, error)
        except TransportDown as error:
            self._pace.note_failure()
            if generation == self._generation and not self._lost.is_set():
                self._tell_lost(error)
                self.connected.clear()
                self._lost.set()

    def _after_send(self, lane: Lane, tickets: list[Ticket], size: int, _: asyncio.Task[None]) -> None:
        state = self._lanes[lane]
        left = self._buffer.put_back(lane, tickets)
        if self._spool is not None:
            self._spool.release(left)
        state.in_flight -= 1
        state.in_flight_bytes -= size
        state.wake.set()
        self._progress.set()

    async def _deliver(self, tickets: list[Ticket]) -> None:
        """Publish as one message; what is refused is halved until the refused events stand alone."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._transport.publish(message_of(tickets))
        except Refused as error:
            if len(tickets) == 1:
                self._refuse(tickets[0], error)
                return
            middle = len(tickets) // 2
            await self._deliver(tickets[:middle])
            await self._deliver(tickets[middle:])
            return
        self._pace.note_confirm(loop.time() - started)
        self._reconnects = None
        self._failing = False
        self._tell_found()
        for ticket in tickets:
            self._buffer.settle(ticket, CONFIRMED)
        if self._spool is not None:
            self._spool.confirm(tickets)

    def _refuse(self, ticket: Ticket, error: Refused) -> None:
        if ticket.state is SPOOLED and self._spool is not None:
            self._spool.refuse(ticket)
            return
        self._losses.count(LossReason.REFUSED, numbers=(ticket.number,))
        self._buffer.settle(ticket, refused(f"{LossReason.REFUSED.value}: {error}"))

    def _pause(self, state: _LaneState, error: Busy) -> None:
        if state.paused:
            return
        state.paused = True
        if state.busy_delays is None:
            state.busy_delays = self._delays(BUSY_SECONDS)
        wait = next(state.busy_delays)
        if error.after_seconds is not None:
            wait = min(max(wait, error.after_seconds), RETRY_AFTER_MAXIMUM)
        self._tell_lost(error)
        asyncio.get_running_loop().call_later(wait, self._resume, state)

    def _resume(self, state: _LaneState) -> None:
        state.paused = False
        state.wake.set()
        self._drain_wake.set()

    def _tell_lost(self, error: BaseException) -> None:
        self._failing = True
        # A full queue takes one message and refuses the next: that is one story, not many.
        now, story = asyncio.get_running_loop().time(), isinstance(error, Denied)
        if story in self._said or now - self._said_at.get(story, -LOG_SECONDS) < LOG_SECONDS:
            return
        self._said.add(story)
        self._said_at[story] = now
        if story:  # which passes only when somebody mends it
            extra = {"event": "transport.refused", "reason": str(error)}
            logger.error("transport.refused reason=%s", error, extra=extra)
        else:
            extra = {"event": "transport.lost", "reason": str(error)}
            logger.warning("transport.lost reason=%s", error, extra=extra)

    def _tell_found(self) -> None:
        if self._said:
            self._said.clear()
            logger.info("transport.connected", extra={"event": "transport.connected"})


def message_of(tickets: list[Ticket]) -> Outgoing:
    """One event as itself, several of a lane as a batch under the key of the most severe."""
    first = tickets[0]
    if len(tickets) == 1:
        return Outgoing(
            body=first.body,
            message_type=EVENT_TYPE,
            routing_key=first.routing_key,
            event_id=first.event_id,
            headers=trace_headers(tickets),
        )
    return Outgoing(
        body=encode_batch([ticket.body for ticket in tickets]),
        message_type=BATCH_TYPE,
        routing_key=max(tickets, key=lambda ticket: ticket.rank).routing_key,
        headers=trace_headers(tickets),
    )
