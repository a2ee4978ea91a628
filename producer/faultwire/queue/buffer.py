"""Events between the caller and the publisher: in memory, bounded, a queue per lane."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from faultwire.audit.loss import Losses, LossReason, Number
from faultwire.process.critical_section import SECTION
from faultwire.queue.ticket import BUFFERED, CONFIRMED, SPOOLED, FinalState, Ticket, refused
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, Lane

TICKET_BYTES: Final = 400
"""Memory that an event takes besides its body (measured: 270 to 350)."""
SHARES: Final = {Lane.CRITICAL: 1.0, Lane.HIGH: 0.8, Lane.ROUTINE: 0.6}
"""Share of the buffer that each lane may fill: what is left is room for what is more severe."""
KEPT_SHARE: Final = 0.3
"""Up to here what is on disk stays in memory as well, so that it need not be read again to be published."""
SWEEP_EVENTS: Final = 500
"""Events that one look at a lane gives to the spool, so that nobody waits long for the lock."""


class Figures(Struct, frozen=True, kw_only=True):
    """Counts of what became of the events, all at one moment."""

    confirmed: int = 0
    spooled: int = 0
    adopted: int = 0
    held: int = 0
    lost: dict[str, int] = {}


class BufferLimit(Struct, frozen=True):
    """The memory that all lanes together may hold, waiting and unconfirmed, bodies and all.

    The client's promise to its host is to grow by less than 32 MiB; messages under way are copied once
    or twice, and SQLite and the transport want a little too.
    """

    bytes: int = 16 * 1024 * 1024


LIMIT: Final = BufferLimit()


class Moved(Struct, frozen=True):
    """The fate of events that were written to disk."""

    kept: list[Ticket]
    """Memory has them too: the publisher has them under way, or will."""
    left: list[Ticket]
    """The disk alone has them; some may have been kept until now."""
    late: list[Ticket]
    """The other side has them: their rows are of no use."""


class _LaneQueue:
    """The events of one lane that are in memory; those on disk too may be among them."""

    __slots__ = ("taken", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting: deque[Ticket] = deque()
        self.taken: dict[Ticket, None] = {}
        self.waiting_bytes = 0


class Buffer:
    """The bounded buffer. A lane that is at its share refuses what is new and counts it.

    ``put`` may be called from any thread; the spool's thread looks for what has waited long; the rest
    belongs to the publisher's loop.
    """

    def __init__(self, losses: Losses, limit: BufferLimit = LIMIT) -> None:
        self.on_put: Callable[[Lane], None] | None = None
        self.is_away = False
        """There is nobody to publish to now: what comes in need not wait for a confirm to be written."""
        self.held: int = 0
        """Events that are not settled yet: memory alone has them."""
        self.confirmed: int = 0
        self.spooled: int = 0
        self.adopted: int = 0
        self._losses = losses
        self._room = {lane: int(limit.bytes * share) for lane, share in SHARES.items()}
        self._kept_room = int(limit.bytes * KEPT_SHARE)
        self._lanes = {lane: _LaneQueue() for lane in Lane}
        self._bytes = 0
        self._sought = 0
        self._sought_below = 0

    def figures(self) -> Figures:
        """The counts, while no other thread can move an event from one to the other."""
        with SECTION.lock:
            return Figures(
                confirmed=self.confirmed,
                spooled=self.spooled,
                adopted=self.adopted,
                held=self.held,
                lost=self._losses.by_reason(),
            )

    def put(self, ticket: Ticket) -> bool:
        """Take an event; False, with the loss counted and the ticket refused, when its lane is full."""
        queue = self._lanes[ticket.lane]
        size = len(ticket.body)
        ticket.buffered_at = time.monotonic()
        with SECTION.lock:
            fits = self._bytes + size + TICKET_BYTES <= self._room[ticket.lane]
            if fits:
                # First what is called: where the stack is full, that fails before anything is counted.
                queue.waiting.append(ticket)
                ticket.is_placed = True
                self.held += 1
                self._bytes += size + TICKET_BYTES
                queue.waiting_bytes += size
        if not fits:
            self._losses.count(LossReason.BUFFER_FULL, numbers=(ticket.number,))
            ticket.settle(refused(LossReason.BUFFER_FULL.value))
        elif self.on_put is not None:
            self.on_put(ticket.lane)
        return fits

    def waits(self, lane: Lane) -> bool:
        """True if anything of the lane waits to be published."""
        return bool(self._lanes[lane].waiting)

    def fills_batch(self, lane: Lane, events: int = BATCH_EVENTS) -> bool:
        """True if what waits makes a whole batch message of ``events`` events."""
        queue = self._lanes[lane]
        return len(queue.waiting) >= events or queue.waiting_bytes >= BATCH_BYTES

    def take(self, lane: Lane, events: int = BATCH_EVENTS) -> list[Ticket]:
        """The next events of the lane that fit one message; an event beyond a batch's size comes alone."""
        queue = self._lanes[lane]
        taken: list[Ticket] = []
        size = 2  # the brackets
        with SECTION.lock:
            while queue.waiting and len(taken) < events:
                size += len(queue.waiting[0].body) + 1
                if taken and size > BATCH_BYTES:
                    break
                ticket = queue.waiting.popleft()
                queue.waiting_bytes -= len(ticket.body)
                queue.taken[ticket] = None
                taken.append(ticket)
        return taken

    def put_back(self, lane: Lane, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Return to the front of the lane what was taken and is not settled.

        Returns:
            What is on disk, and from now on there alone: this attempt failed, and memory is for what is new.
        """
        queue = self._lanes[lane]
        with SECTION.lock:
            back = [ticket for ticket in tickets if ticket in queue.taken]
            for ticket in back:
                del queue.taken[ticket]
            left = [ticket for ticket in back if ticket.state is SPOOLED]
            for ticket in left:
                self._let_go(ticket)
            back = [ticket for ticket in back if ticket.state is BUFFERED]
            queue.waiting.extendleft(reversed(back))
            queue.waiting_bytes += sum(len(ticket.body) for ticket in back)
        return left

    def settle(self, ticket: Ticket, state: FinalState) -> None:
        """Give an event that was taken, or comes from the spool, its final state, and its room to others."""
        taken = self._lanes[ticket.lane].taken
        with SECTION.lock:
            if ticket.decided:
                return
            if ticket.state is BUFFERED:
                self.held -= 1
            else:
                self.spooled -= 1
                if self._sought and ticket.row < self._sought_below:
                    self._sought -= 1
            self.confirmed += state is CONFIRMED
            if ticket in taken:
                del taken[ticket]
                self._let_go(ticket)
            ticket.become(state)
        ticket.wake()

    def unsettled(
        self, before: float, *, taken_before: float | None = None, most: int | None = SWEEP_EVENTS
    ) -> list[Ticket]:
        """Events put before that moment and neither confirmed nor spooled, the critical lane first.

        ``taken_before`` is another moment for what is under way; ``most`` bounds what is given of each
        lane, None gives all.
        """
        taken_before = before if taken_before is None else taken_before
        found: list[Ticket] = []
        with SECTION.lock:
            for queue in self._lanes.values():
                old = [each for each in queue.taken if each.buffered_at <= taken_before and not each.settled]
                for ticket in queue.waiting:
                    if ticket.buffered_at > before or (most is not None and len(old) >= most):
                        break
                    if not ticket.settled:
                        old.append(ticket)
                found += old
        return found

    def oldest_at(self) -> float | None:
        """The time since which the buffer has had something that nobody has settled, as far as is known.

        Under way the first of a lane is looked at, which need not be the oldest after a failure.
        """
        with SECTION.lock:
            found = [queue.waiting[0].buffered_at for queue in self._lanes.values() if queue.waiting]
            found += [next(iter(queue.taken)).buffered_at for queue in self._lanes.values() if queue.taken]
        return min(found, default=None)

    def move_to_spool(self, tickets: Iterable[Ticket]) -> Moved:
        """Settle as spooled what is on disk now; memory keeps it while there is room."""
        written, late = [], []
        with SECTION.lock:
            for ticket in tickets:
                if ticket.settled:
                    late.append(ticket)
                    continue
                self.held -= 1
                self.spooled += 1
                ticket.become(SPOOLED)
                written.append(ticket)
            left = self._leave_to_disk() if self._bytes > self._kept_room else []
            # In here: what is confirmed a moment later is still to be claimed, or it were published anew.
            kept = [ticket for ticket in written if ticket.body]
        for ticket in written:
            ticket.wake()
        return Moved(kept, left, late)

    def leave_to_disk(self) -> list[Ticket]:
        """Keep in memory nothing that is on disk too, but for what is under way; what was let go."""
        with SECTION.lock:
            return self._leave_to_disk()

    def _leave_to_disk(self) -> list[Ticket]:
        left: list[Ticket] = []
        for queue in self._lanes.values():
            some = [ticket for ticket in queue.waiting if ticket.settled]
            if some:
                queue.waiting = deque(ticket for ticket in queue.waiting if not ticket.settled)
                queue.waiting_bytes -= sum(len(ticket.body) for ticket in some)
                for ticket in some:
                    self._let_go(ticket)
                left += some
        return left

    def _let_go(self, ticket: Ticket) -> None:
        self._bytes -= len(ticket.body) + TICKET_BYTES
        ticket.body = b""

    def adopt(self, *, events: int) -> None:
        """Count events that another process left in the spool."""
        with SECTION.lock:
            self.adopted += events
            self.spooled += events

    def lose_spooled(self, reason: LossReason, *, events: int, numbers: Iterable[Number | None] = ()) -> None:
        """Count events that the spool had and has no more, with those of their numbers that are known."""
        with SECTION.lock:
            self.spooled -= events
            self._losses.add(reason, events, numbers=numbers)
        self._losses.tell(reason)

    def seek_spooled(self, below: int) -> None:
        """The file is damaged; its events, in rows below that number, stay counted while they are sought."""
        with SECTION.lock:
            self._sought, self._sought_below = self.spooled, below

    def find_spooled(self, *, events: int) -> None:
        """Count events that were salvaged; beyond those sought they are deleted ones that came back."""
        with SECTION.lock:
            more = max(0, events - self._sought)
            self._sought -= events - more
            self.adopted += more
            self.spooled += more

    def end_search(self) -> None:
        """Count as lost what was sought and not found."""
        with SECTION.lock:
            missing, self._sought = self._sought, 0
            self.spooled -= missing
            self._losses.add(LossReason.SPOOL_CORRUPT, missing)
        self._losses.tell(LossReason.SPOOL_CORRUPT)

    def abandon(self, reason: LossReason) -> int:
        """Refuse everything that only memory has and count it as lost; how many that were."""
        numbers: list[Number | None] = []
        for lane in Lane:
            while tickets := self.take(lane):
                for ticket in tickets:
                    if ticket.state is BUFFERED:
                        numbers.append(ticket.number)
                        self.settle(ticket, refused(reason.value))
                self.put_back(lane, tickets)
        self._losses.count(reason, len(numbers), numbers=numbers)
        return len(numbers)
