"""The trace that an error belongs to: OpenTelemetry's own where it is loaded, else what a request brought."""

import sys
from typing import Any

from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.trace_context import TraceContext, kept_state, read_context

Trace = tuple[str, str]
"""The trace's id (32 hexadecimal digits) and the span's (16)."""


def current_trace() -> TraceContext | None:
    """The running span's, where the host uses OpenTelemetry; nothing is imported for it."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        found = api.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        # Of exact integers, whatever a host's generator of ids makes: what is not of these lengths is no id.
        trace_id, span_id = f"{int(found.trace_id):032x}", f"{int(found.span_id):016x}"
        if len(trace_id) != 32 or len(span_id) != 16:
            return None
        state = found.trace_state
        kept = kept_state(state.to_header()) if state else ""
        return TraceContext(trace_id, span_id, int(found.trace_flags) & 0xFF, kept)
    except BaseException as error:  # noqa: BLE001 - a span of the host's own making may raise anything; the event goes without
        pass_interruption(error)
        return None


def parse_traceparent(header: str | None) -> Trace | None:
    """A request's trace by its ``traceparent`` (W3C Trace Context); None for what does not follow it."""
    found = read_context(header)
    return None if found is None else (found.trace_id, found.span_id)
