"""From an event to its ticket: the processors, the number, the bytes, and the way out; and the figures."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from faultwire.audit.account import Account
from faultwire.audit.loss import Losses, LossReason, Number
from faultwire.pipeline import processors as chain
from faultwire.pipeline.encoding import Unencodable, encode_bounded
from faultwire.pipeline.processors import Processor
from faultwire.pipeline.stats import Stats
from faultwire.publish.outlet import Outlet
from faultwire.queue.buffer import Figures
from faultwire.queue.ticket import FAILED, Ticket, refused
from faultwire_shared.event import Category, ErrorSeverity, Event
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.topology import routing_key

if TYPE_CHECKING:
    # Its patterns take 20 ms to compile: the first manager pays for them, not `import faultwire`.
    from faultwire_shared.scrub import Scrubber


class Emitter:
    """Numbers events after the processors and puts them into the outlet; without one they are refused."""

    def __init__(
        self,
        processors: Iterable[Processor],
        account: Account,
        losses: Losses,
        outlet: Outlet | None,
        *,
        scrubber: "Scrubber | None" = None,
    ) -> None:
        self._processors = tuple(processors)
        self._account = account
        self._losses = losses
        self._outlet = outlet
        self.scrubber = scrubber
        self._processor_failures = 0
        self._keys: dict[tuple[ErrorSeverity, Category], str] = {}

    def emit(self, event: Event, ticket: Ticket, *, at_once: bool = False) -> None:
        """Hand the event over; ``at_once`` to the disk as well. Never raises, but for an interruption."""
        ticket.is_placed = False  # by who had set it aside
        try:
            kept = self.prepare(event, ticket)
        except BaseException as error:  # noqa: BLE001 - whatever cut it short, the error is counted
            self._give_up(ticket, None)
            pass_interruption(error)
            return
        if kept is not None:
            self.send(kept, ticket, at_once=at_once)

    def prepare(self, event: Event, ticket: Ticket) -> Event | None:
        """The event as the processors leave it; None, with the ticket refused, where it goes nowhere."""
        if self._outlet is None:
            ticket.settle(refused("disabled"))
            return None
        kept, failures = chain.run(self._processors, event)
        self._processor_failures += failures
        if kept is None:
            self.lose(ticket, LossReason.PROCESSOR)
            return None
        return kept if self.scrubber is None else self.scrubber.scrub(kept)

    def send(self, event: Event, ticket: Ticket, *, at_once: bool = False) -> None:
        """Number and encode a prepared event, and put its ticket into the outlet; a number is never lost."""
        outlet = self._outlet
        if outlet is None:
            return
        ticket.is_placed = False  # by a window, which has let go of it
        number = ticket.number = self._account.who.producer_id, self._account.next_number()
        try:
            self._encode(event, ticket, number)
            if not ticket.settled:
                outlet.put(ticket, at_once=at_once)
        except BaseException as error:  # noqa: BLE001 - whatever cut it short, its number is told
            self._give_up(ticket, number)
            pass_interruption(error)

    def _encode(self, event: Event, ticket: Ticket, number: Number) -> None:
        force_setattr(event, "id", ticket.event_id)
        force_setattr(event, "producer_id", number[0])
        force_setattr(event, "sequence", number[1])
        try:
            ticket.body, event = encode_bounded(event)
        except Unencodable:
            self._losses.add(LossReason.UNENCODABLE, numbers=(number,))
            ticket.settle(refused(LossReason.UNENCODABLE.value))
            self._losses.tell(LossReason.UNENCODABLE)
            return
        if ticket.trace is not None and event.trace_id != ticket.trace.trace_id:
            ticket.trace = None  # a processor took it out
        ticket.lane = event.severity.lane
        ticket.rank = event.severity.rank
        ticket.routing_key = self._key(event)

    def lose(self, ticket: Ticket, reason: LossReason) -> None:
        """Refuse what gets no number, and count its loss."""
        if self._outlet is None:
            ticket.settle(refused("disabled"))
            return
        self._losses.add(reason, numbers=(None,))
        ticket.settle(refused(reason.value))
        self._losses.tell(reason)

    def _give_up(self, ticket: Ticket, number: Number | None) -> None:
        if not (ticket.is_placed or ticket.settled):
            self._losses.aside.append(number)
            ticket.state = FAILED
            ticket.wake()

    def stats(self, handled: int, *, collapsed: int, waiting: int) -> Stats:
        """Figures of what became of the handled errors, of which some wait before the buffer."""
        figures = Figures() if self._outlet is None else self._outlet.buffer.figures()
        return Stats(
            handled=handled + self._losses.stranded,
            confirmed=figures.confirmed,
            spooled=figures.spooled,
            adopted=figures.adopted,
            refused=figures.lost.get(LossReason.REFUSED.value, 0),
            lost=figures.lost,
            buffered=waiting + figures.held,
            collapsed=collapsed,
            processor_failures=self._processor_failures,
        )

    def _key(self, event: Event) -> str:
        pair = event.severity, event.category
        key = self._keys.get(pair)
        if key is None:
            key = self._keys[pair] = routing_key(event.severity, event.category, event.service)
        return key
