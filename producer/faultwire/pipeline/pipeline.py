"""The way in of one manager: an error is refused, joins a burst, or is captured, emitted and logged."""

import time
from collections.abc import Callable
from functools import partial
from itertools import count

from faultwire.audit.loss import Losses, LossReason
from faultwire.capture import scope
from faultwire.capture.event import Origin, capture
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Handled
from faultwire.capture.trace import current_trace
from faultwire.pipeline.deferred import Deferred
from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.filter import Filter
from faultwire.pipeline.log_line import log_handled
from faultwire.pipeline.stats import Stats
from faultwire.pipeline.storm import EventRole, Storm
from faultwire.pipeline.storm_key import StormKey, storm_key
from faultwire.pipeline.window_closer import WindowCloser
from faultwire.process.critical_section import SECTION
from faultwire.process.exit import LEAVE
from faultwire.process.stack_room import need_room
from faultwire.queue.ticket import FAILED, Ticket
from faultwire_shared.clock import utc_now
from faultwire_shared.event import Event
from faultwire_shared.event_id import new_event_id


class ErrorPipeline:
    """Gives errors their tickets, from any thread and wherever that is just then; waits for nobody.

    ``collapse=False`` makes an event of every error.
    """

    def __init__(
        self,
        origin: Origin,
        error_filter: Filter,
        frames: FrameReader,
        emitter: Emitter,
        *,
        losses: Losses,
        collapse: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = origin
        self._filter = error_filter
        self._frames = frames
        self._emitter = emitter
        self._losses = losses
        self._failed = Ticket(event_id=new_event_id(utc_now()), state=FAILED)
        """Of errors for which not even a ticket could be made."""
        self._collapse = collapse
        self._clock = clock
        self._storm = Storm()
        self._closer = WindowCloser(self._storm, emitter, clock=clock)
        self._deferred = Deferred()
        self._numbers = count(1)
        self._handled = 0

    def admit(self, handled: Handled, *, at_once: bool) -> tuple[Ticket, str | None, BaseException | None]:
        """The ticket of the event that stands for the error, its text where that was read, and what failed.

        ``at_once`` has the event written to disk without waiting for the confirm to be late. Whatever it is
        that fails, the error is in one of the counts.
        """
        self._handled = next(self._numbers)
        ticket: Ticket | None = None
        try:
            key = None
            refusal = self._filter.refuses(handled.error)
            if refusal is None and not SECTION.is_ours():
                key = storm_key(handled) if self._collapse and not LEAVE.has_begun else None
                admitted = EventRole.WHOLE if key is None else self._meet_storm(key, handled)
                if isinstance(admitted, Ticket):
                    return admitted, None, None
                key = None if admitted is EventRole.WHOLE else key
            need_room()
            ticket = Ticket(event_id=new_event_id(handled.at))
            if refusal is not None:
                self._refuse(ticket, refusal)
                return ticket, None, None
            if SECTION.is_ours():
                self._defer(handled, ticket)
                return ticket, None, None
            kept, text = self._pass_on(handled, ticket, key, at_once=at_once)
            return kept, text, None
        except BaseException as error:  # noqa: BLE001 - whatever cut it short, the error is counted, by calls that cannot fail
            if ticket is None or not (ticket.is_placed or ticket.settled):
                self._losses.aside.append(None)
                ticket = ticket or self._failed
                ticket.state = FAILED
            return ticket, None, error

    def hand_over(self) -> None:
        """See that all that waits before the buffer is in it."""
        self._deferred.hand_over()
        self._closer.hand_over()

    def stop(self) -> None:
        """Hand over everything, and let anything that comes later through."""
        self._collapse = False
        self.hand_over()

    def stats(self) -> Stats:
        """Figures of what became of the handled errors."""
        waiting = len(self._deferred) + self._storm.windows
        return self._emitter.stats(self._handled, collapsed=self._storm.collapsed, waiting=waiting)

    def _meet_storm(self, key: StormKey, handled: Handled) -> Ticket | EventRole:
        try:
            return self._storm.admit(key, at=handled.at, now=self._clock())
        except Exception:  # noqa: BLE001 - what was read for the key may raise when it is compared
            return EventRole.WHOLE

    def _pass_on(
        self, handled: Handled, ticket: Ticket, key: StormKey | None, *, at_once: bool
    ) -> tuple[Ticket, str]:
        event = self._capture(handled, ticket)
        if key is None:
            self._emitter.emit(event, ticket, at_once=at_once)
        else:
            ticket = self._open_window(key, event, ticket)
        log_handled(event, handled.error, self._emitter.scrubber, handled.trail)
        return ticket, event.message

    def _open_window(self, key: StormKey, event: Event, ticket: Ticket) -> Ticket:
        """Keep the event until its window closes; the ticket of the window that it opened or joined."""
        prepared = self._emitter.prepare(event, ticket)
        if prepared is None:
            return ticket
        opened = self._storm.open(key, prepared, ticket, now=self._clock())
        ticket.is_placed = True  # or joined another's, which counts it
        self._closer.see_to_it()
        if LEAVE.has_begun:  # meanwhile: whoever closes all windows at the end may have been here already
            self._closer.hand_over()
        return opened

    def _refuse(self, ticket: Ticket, reason: LossReason) -> None:
        if SECTION.is_ours():
            self._deferred.put(partial(self._emitter.lose, ticket, reason))
            ticket.is_placed = True
        else:
            self._emitter.lose(ticket, reason)

    def _defer(self, handled: Handled, ticket: Ticket) -> None:
        """Set aside an error that interrupted the critical section, where nothing may be waited for.

        It becomes an event of its own, also in a burst: which windows are open is not to be asked in there.
        """
        event = self._capture(handled, ticket)
        self._deferred.put(partial(self._emit_and_log, event, ticket, handled.error))
        ticket.is_placed = True

    def _emit_and_log(self, event: Event, ticket: Ticket, error: object) -> None:
        self._emitter.emit(event, ticket)
        log_handled(event, error, self._emitter.scrubber)

    def _capture(self, handled: Handled, ticket: Ticket) -> Event:
        ticket.trace = current_trace()
        return capture(
            handled,
            event_id=ticket.event_id,
            origin=self._origin,
            frames=self._frames,
            scope=scope.current(),
            trace=ticket.trace,
        )
