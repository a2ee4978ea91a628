"""The way in of one manager: an error is refused, joins a burst, or is captured, emitted and logged."""

from functools import partial

from faultwire.audit.account import Account
from faultwire.audit.loss import Losses, LossReason
from faultwire.capture import scope
from faultwire.capture.event import Origin, capture
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Handled
from faultwire.pipeline.collapser import Collapser
from faultwire.pipeline.deferred import Deferred
from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.filter import Filter
from faultwire.pipeline.log_line import log_handled
from faultwire.pipeline.stats import Stats
from faultwire.process.critical_section import SECTION
from faultwire.publish.outlet import Outlet
from faultwire.queue.ticket import Ticket
from faultwire_shared.event import Event
from faultwire_shared.event_id import new_event_id


class ErrorPipeline:
    """Gives errors their tickets, from any thread and wherever that is just then; waits for nobody.

    ``collapse=False`` makes an event of every error.
    """

    def __init__(
        self, origin: Origin, gate: Filter, frames: FrameReader, emitter: Emitter, *, collapse: bool
    ) -> None:
        self.emitter = emitter
        self._origin = origin
        self._gate = gate
        self._frames = frames
        self._collapser = Collapser(emitter, enabled=collapse)
        self._aside = Deferred()

    def diverted(self, account: Account, losses: Losses, outlet: Outlet) -> "ErrorPipeline":
        """The same with another way out, where every error makes an event of its own and none is left out."""
        emitter = self.emitter.diverted(account, losses, outlet)
        return ErrorPipeline(
            self._origin, self._gate.without_sampling(), self._frames, emitter, collapse=False
        )

    def admit(self, handled: Handled, *, at_once: bool) -> tuple[Ticket, str | None]:
        """The ticket of the event that stands for the error, and the error's text where that was read.

        ``at_once`` has the event written to disk without waiting for the confirm to be late.
        """
        refusal = self._gate.refuses(handled.error)
        if refusal is not None:
            return self._refuse(handled, refusal), None
        if SECTION.is_ours():
            return self._set_aside(handled), None
        entry = self._collapser.enter(handled)
        if isinstance(entry, Ticket):
            return entry, None
        event = self._capture(handled)
        ticket = self._collapser.emit(event, entry, at_once=at_once)
        log_handled(event, handled.error, self.emitter.scrubber)
        return ticket, event.message

    def hand_over(self) -> None:
        """See that all that waits before the buffer is in it."""
        self._aside.hand_over()
        self._collapser.close_windows()

    def stop(self) -> None:
        """Hand over everything, and let whatever comes later through."""
        self._aside.hand_over()
        self._collapser.stop()

    def stats(self, handled: int) -> Stats:
        """What has been done so far with what was handled."""
        storm = self._collapser.storm
        waiting = len(self._aside) + storm.windows
        return self.emitter.stats(handled, collapsed=storm.collapsed, waiting=waiting)

    def forget(self) -> None:
        """Start anew in a forked child: what waits is the parent's."""
        self._aside.forget()
        self.emitter.forget()
        self._collapser.forget()

    def _refuse(self, handled: Handled, reason: LossReason) -> Ticket:
        ticket = Ticket(event_id=new_event_id(handled.at))
        if SECTION.is_ours():
            self._aside.put(partial(self.emitter.lose, ticket, reason))
        else:
            self.emitter.lose(ticket, reason)
        return ticket

    def _set_aside(self, handled: Handled) -> Ticket:
        """The ticket of an error that interrupted the critical section, where nothing may be waited for.

        It becomes an event of its own, also in a burst: which windows are open is not to be asked in there.
        """
        event = self._capture(handled)
        ticket = Ticket(event_id=event.id)
        self._aside.put(partial(self._emit_and_log, event, ticket, handled.error))
        return ticket

    def _emit_and_log(self, event: Event, ticket: Ticket, error: object) -> None:
        self.emitter.emit(event, ticket)
        log_handled(event, error, self.emitter.scrubber)

    def _capture(self, handled: Handled) -> Event:
        return capture(
            handled,
            event_id=new_event_id(handled.at),
            origin=self._origin,
            frames=self._frames,
            scope=scope.current(),
        )
