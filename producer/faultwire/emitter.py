"""From an event to its ticket: the processors, the number, the bytes, and the way out; and the figures."""

from collections.abc import Iterable

from msgspec.structs import force_setattr

from faultwire import processors as chain
from faultwire.capture import Unencodable, encode_bounded
from faultwire.processors import Processor
from faultwire.publish.account import Account
from faultwire.publish.loss import Losses, LossReason, Number
from faultwire.publish.outlet import Outlet
from faultwire.publish.ticket import Ticket, refused
from faultwire.stats import Stats
from faultwire_shared.event import Category, ErrorSeverity, Event
from faultwire_shared.topology import routing_key


class Emitter:
    """Numbers events after the processors and puts them into the outlet; without one they are refused."""

    def __init__(
        self, processors: Iterable[Processor], account: Account, losses: Losses, outlet: Outlet | None
    ) -> None:
        self._processors = tuple(processors)
        self._account = account
        self._losses = losses
        self._outlet = outlet
        self._processor_failures = 0
        self._keys: dict[tuple[ErrorSeverity, Category], str] = {}

    def emit(self, event: Event, *, at_once: bool) -> Ticket:
        """Hand the event over; ``at_once`` to the disk as well. Never raises."""
        if self._outlet is None:
            return Ticket(event_id=event.id, state=refused("disabled"))
        kept, failures = chain.run(self._processors, event)
        self._processor_failures += failures
        if kept is None:
            return self._lose(event, LossReason.PROCESSOR, None)
        number = self._account.who.producer_id, self._account.next_number()
        force_setattr(kept, "id", event.id)
        force_setattr(kept, "producer_id", number[0])
        force_setattr(kept, "sequence", number[1])
        try:
            body, kept = encode_bounded(kept)
        except Unencodable:
            return self._lose(event, LossReason.UNENCODABLE, number)
        ticket = Ticket(
            event_id=event.id,
            body=body,
            lane=kept.severity.lane,
            rank=kept.severity.rank,
            routing_key=self._key(kept),
            number=number,
        )
        self._outlet.put(ticket, at_once=at_once)
        return ticket

    def stats(self, handled: int) -> Stats:
        """What has been done so far with what was handled."""
        figures = self._outlet.buffer.figures() if self._outlet is not None else None
        lost = figures.lost if figures else self._losses.by_reason()
        return Stats(
            handled=handled,
            confirmed=figures.confirmed if figures else 0,
            spooled=figures.spooled if figures else 0,
            adopted=figures.adopted if figures else 0,
            refused=lost.get(LossReason.REFUSED.value, 0),
            lost=lost,
            buffered=figures.held if figures else 0,
            processor_failures=self._processor_failures,
        )

    def forget(self) -> None:
        """Start anew in a forked child: a producer of its own, with numbers of its own."""
        self._processor_failures = 0
        self._losses.forget()
        self._account.forget()
        if self._outlet is not None:
            self._outlet.forget()

    def _lose(self, event: Event, reason: LossReason, number: Number | None) -> Ticket:
        self._losses.count(reason, numbers=(number,))
        return Ticket(event_id=event.id, state=refused(reason.value))

    def _key(self, event: Event) -> str:
        pair = event.severity, event.category
        key = self._keys.get(pair)
        if key is None:
            key = self._keys[pair] = routing_key(event.severity, event.category, event.service)
        return key
