"""The trace that an error belongs to: OpenTelemetry's own where it is loaded, else what a request brought."""

import re
import sys
from typing import Any, Final

from faultwire_shared.foreign.interruption import pass_interruption

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16

Trace = tuple[str, str]
"""The trace's id (32 hexadecimal digits) and the span's (16)."""


def current_trace() -> Trace | None:
    """The running span's, where the host uses OpenTelemetry; nothing is imported for it."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        found = api.get_current_span().get_span_context()
        return (f"{found.trace_id:032x}", f"{found.span_id:016x}") if found.is_valid else None
    except BaseException as error:  # noqa: BLE001 - a span of the host's own making may raise anything; the event goes without
        pass_interruption(error)
        return None


def parse_traceparent(header: str | None) -> Trace | None:
    """A request's trace by its ``traceparent`` (W3C Trace Context); None for what does not follow it."""
    match = _TRACEPARENT.fullmatch(header.strip().lower()) if header else None
    if match is None or header is None or header.strip()[:2].lower() == "ff":
        return None
    trace_id, span_id = match.groups()
    return None if trace_id == _NO_TRACE or span_id == _NO_SPAN else (trace_id, span_id)
