"""Events between the caller and the publisher: in memory, bounded, a queue per lane."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from faultwire.publish.loss import Losses, LossReason
from faultwire.publish.ticket import CONFIRMED, FinalState, Ticket, refused
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, Lane


class LaneLimit(Struct, frozen=True):
    """What one lane may hold, waiting and unconfirmed together."""

    events: int = 10_000
    bytes: int = 16 * 1024 * 1024


LIMIT: Final = LaneLimit()


class _LaneQueue:
    """The events of one lane. ``held`` counts until they are settled, so what comes back always fits."""

    __slots__ = ("held_bytes", "held_events", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting: deque[Ticket] = deque()
        self.waiting_bytes = 0
        self.held_events = 0
        self.held_bytes = 0


class Buffer:
    """The bounded buffer. A full lane refuses what is new and counts it; other lanes are not touched.

    ``put`` may be called from any thread; the rest belongs to the publisher's loop.
    """

    def __init__(self, losses: Losses, limit: LaneLimit = LIMIT) -> None:
        self.on_put: Callable[[Lane], None] | None = None
        self.confirmed = 0
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
                taken.append(queue.waiting.popleft())
                queue.waiting_bytes -= len(taken[-1].body)
        return taken

    def put_back(self, lane: Lane, tickets: Iterable[Ticket]) -> None:
        """Return to the front of the lane what was taken and is not settled."""
        queue = self._lanes[lane]
        unsettled = [ticket for ticket in tickets if not ticket.settled]
        with self._lock:
            queue.waiting.extendleft(reversed(unsettled))
            queue.waiting_bytes += sum(len(ticket.body) for ticket in unsettled)

    def settle(self, ticket: Ticket, state: FinalState) -> None:
        """Give an event that was taken its final state, and its room to others."""
        queue = self._lanes[ticket.lane]
        with self._lock:
            queue.held_events -= 1
            queue.held_bytes -= len(ticket.body)
            self.confirmed += state is CONFIRMED
        ticket.settle(state)

    def abandon(self, reason: LossReason) -> int:
        """Refuse everything that waits and count it as lost; how many that were."""
        count = 0
        for lane in Lane:
            while tickets := self.take(lane):
                count += len(tickets)
                for ticket in tickets:
                    self.settle(ticket, refused(reason.value))
        self._losses.count(reason, count)
        return count
