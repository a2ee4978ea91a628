"""The span that a message comes from, as headers of W3C's Trace Context, where OpenTelemetry is loaded."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from faultwire.queue.ticket import SPOOLED, Ticket
from faultwire_shared.trace_context import TRACEPARENT, TRACESTATE, TraceContext, context_in_event

_NONE: Final[Mapping[str, str]] = {}


def trace_headers(tickets: Sequence[Ticket]) -> Mapping[str, str]:
    """The span's headers; none where the events come of none, or not all of one.

    A batch says more by its events, each of which names its own trace.
    """
    if "opentelemetry.trace" not in sys.modules:
        return _NONE
    context = _context_of(tickets[0])
    if context is None or any(_context_of(ticket) != context for ticket in tickets[1:]):
        return _NONE
    state = {TRACESTATE: context.state} if context.state else _NONE
    return {TRACEPARENT: context.parent, **state}


def _context_of(ticket: Ticket) -> TraceContext | None:
    """Return what the ticket knows; of an event from the disk what that says itself: the ids alone."""
    if ticket.trace is not None or ticket.state is not SPOOLED:
        return ticket.trace
    return context_in_event(ticket.body)
