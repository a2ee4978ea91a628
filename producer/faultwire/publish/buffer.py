"""Events between the caller and the publisher: in memory, bounded, a queue per lane."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from faultwire.publish.loss import Losses, LossReason
from faultwire.publish.ticket import BUFFERED, CONFIRMED, SPOOLED, FinalState, Ticket, refused
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, Lane


class LaneLimit(Struct, frozen=True):
    """What one lane may hold, waiting and unconfirmed together."""

    events: int = 10_000
    bytes: int = 16 * 1024 * 1024


LIMIT: Final = LaneLimit()
SWEEP_EVENTS: Final = 500
"""What one look at a lane gives to the spool, so that nobody waits long for the lock."""


class _LaneQueue:
    """The events of one lane. ``held`` counts until they are settled, so what comes back always fits."""

    __slots__ = ("held_bytes", "held_events", "taken", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting: deque[Ticket] = deque()
        self.taken: dict[Ticket, None] = {}
        self.waiting_bytes = 0
        self.held_events = 0
        self.held_bytes = 0


class Buffer:
    """The bounded buffer. A full lane refuses what is new and counts it; other lanes are not touched.

    ``put`` may be called from any thread; the spool's thread looks for what has waited long; the rest
    belongs to the publisher's loop.
    """

    def __init__(self, losses: Losses, limit: LaneLimit = LIMIT) -> None:
        self.on_put: Callable[[Lane], None] | None = None
        self.confirmed = 0
        self.spooled = 0
        self.adopted = 0
        self._losses = losses
        self._limit = limit
        self._lock = threading.Lock()
        self._lanes = {lane: _LaneQueue() for lane in Lane}

    @property
    def held(self) -> int:
        """Events that are not settled yet."""
        return sum(queue.held_events for queue in self._lanes.values())

    def put(self, ticket: Ticket) -> bool:
        """Take an event; False, with the loss counted and the ticket refused, when its lane is full."""
        queue = self._lanes[ticket.lane]
        size = len(ticket.body)
        with self._lock:
            fits = queue.held_events < self._limit.events and queue.held_bytes + size <= self._limit.bytes
            if fits:
                queue.held_events += 1
                queue.held_bytes += size
                queue.waiting_bytes += size
                ticket.buffered_at = time.monotonic()
                queue.waiting.append(ticket)
        if not fits:
            self._losses.count(LossReason.BUFFER_FULL)
            ticket.settle(refused(LossReason.BUFFER_FULL.value))
        elif self.on_put is not None:
            self.on_put(ticket.lane)
        return fits

    def waits(self, lane: Lane) -> bool:
        """Whether anything of the lane waits to be published."""
        return bool(self._lanes[lane].waiting)

    def fills_batch(self, lane: Lane) -> bool:
        """Whether what waits makes a whole batch message."""
        queue = self._lanes[lane]
        return len(queue.waiting) >= BATCH_EVENTS or queue.waiting_bytes >= BATCH_BYTES

    def take(self, lane: Lane) -> list[Ticket]:
        """The next events of the lane that fit one message; an event beyond a batch's size comes alone."""
        queue = self._lanes[lane]
        taken: list[Ticket] = []
        size = 2  # the brackets
        with self._lock:
            while queue.waiting and len(taken) < BATCH_EVENTS:
                size += len(queue.waiting[0].body) + 1
                if taken and size > BATCH_BYTES:
                    break
                ticket = queue.waiting.popleft()
                queue.waiting_bytes -= len(ticket.body)
                queue.taken[ticket] = None
                taken.append(ticket)
        return taken

    def put_back(self, lane: Lane, tickets: Iterable[Ticket]) -> None:
        """Return to the front of the lane what was taken and is not settled."""
        queue = self._lanes[lane]
        with self._lock:
            for ticket in tickets:
                queue.taken.pop(ticket, None)
            unsettled = [ticket for ticket in tickets if not ticket.settled]
            queue.waiting.extendleft(reversed(unsettled))
            queue.waiting_bytes += sum(len(ticket.body) for ticket in unsettled)

    def settle(self, ticket: Ticket, state: FinalState) -> None:
        """Give an event that was taken, or lies in the spool, its final state, and its room to others."""
        with self._lock:
            if ticket.state is BUFFERED:
                self._let_go(ticket)
            elif ticket.state is SPOOLED:
                self.spooled -= 1
            else:
                return
            self.confirmed += state is CONFIRMED
            ticket.settle(state)

    def unsettled(self, before: float) -> list[Ticket]:
        """What was put before that moment and is neither confirmed nor spooled, the critical lane first."""
        found: list[Ticket] = []
        with self._lock:
            for queue in self._lanes.values():
                old = [each for each in queue.taken if each.buffered_at <= before and not each.settled]
                for ticket in queue.waiting:
                    if ticket.buffered_at > before or len(old) >= SWEEP_EVENTS:
                        break
                    old.append(ticket)
                found += old
        return found

    def move_to_spool(self, tickets: Iterable[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
        """Settle as spooled what is on disk now.

        Returns:
            Those whose message is under way, and those that were settled in the meantime.
        """
        under_way, late = [], []
        with self._lock:
            for ticket in tickets:
                if ticket.settled:
                    late.append(ticket)
                    continue
                queue = self._lanes[ticket.lane]
                if ticket in queue.taken:
                    under_way.append(ticket)
                else:
                    queue.waiting_bytes -= len(ticket.body)
                self._let_go(ticket)
                self.spooled += 1
                ticket.settle(SPOOLED)
            for queue in self._lanes.values():
                if any(ticket.settled for ticket in queue.waiting):
                    queue.waiting = deque(ticket for ticket in queue.waiting if not ticket.settled)
        return under_way, late

    def adopt(self, *, events: int) -> None:
        """Count events that another process left in the spool."""
        with self._lock:
            self.adopted += events
            self.spooled += events

    def lose_spooled(self, reason: LossReason, *, events: int) -> None:
        """Count events that the spool had and has no more."""
        with self._lock:
            self.spooled -= events
        self._losses.count(reason, events)

    def forget(self) -> None:
        """Start anew in a forked child: what is held is the parent's to deliver."""
        self._lock = threading.Lock()
        self._lanes = {lane: _LaneQueue() for lane in Lane}
        self.confirmed = self.spooled = self.adopted = 0

    def _let_go(self, ticket: Ticket) -> None:
        queue = self._lanes[ticket.lane]
        queue.held_events -= 1
        queue.held_bytes -= len(ticket.body)

    def abandon(self, reason: LossReason) -> int:
        """Refuse everything that waits and count it as lost; how many that were."""
        count = 0
        for lane in Lane:
            while tickets := self.take(lane):
                count += len(tickets)
                for ticket in tickets:
                    self.settle(ticket, refused(reason.value))
                self.put_back(lane, tickets)
        self._losses.count(reason, count)
        return count
