"""The place of one span in its trace, as W3C's Trace Context writes it into headers."""

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from faultwire_shared.json_text import UNREADABLE

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
STATE_CHARACTERS: Final = 512
"""As many as the standard has everybody pass on; a longer state is left out whole."""
_PARENT_CHARACTERS: Final = 512
_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")


_NAMED: Final = b'"trace_id"'


class _Traced(Struct, frozen=True):
    trace_id: str | None = None
    span_id: str | None = None


_traced: Final = msgspec.json.Decoder(_Traced)


class TraceContext(NamedTuple):
    """A span, and what its tracer says of the trace; made by the functions here, its ids are valid."""

    trace_id: str
    span_id: str
    flags: int = 0
    """The lowest bit: the span was recorded."""
    state: str = ""
    """``tracestate``: what tracers tell each other."""

    @property
    def parent(self) -> str:
        """``traceparent``."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def context_of(
    trace_id: object, span_id: object, *, flags: int = 0, state: object = ""
) -> TraceContext | None:
    """The context of a span whose ids are known; None where one of them is no id."""
    if not (isinstance(trace_id, str) and isinstance(span_id, str)):
        return None
    if _TRACE.fullmatch(trace_id) is None or _SPAN.fullmatch(span_id) is None:
        return None
    return TraceContext(trace_id, span_id, flags & 0xFF, kept_state(state))


def read_context(parent: object, state: object = "") -> TraceContext | None:
    """Read the headers of a request or a message, whatever a stranger put there; None for what is no span.

    Args:
        parent: ``traceparent``; letters may be large, and spaces around it are nothing.
        state: ``tracestate``; left out where it is no text, too long, or more than plain characters.
    """
    if not isinstance(parent, str) or len(parent) > _PARENT_CHARACTERS:
        return None
    found = _PARENT.fullmatch(parent.strip().lower())
    return None if found is None else context_of(found[1], found[2], flags=int(found[3], 16), state=state)


def context_in_event(body: bytes) -> TraceContext | None:
    """Read the span that an event's JSON names; None where it names none, or cannot be read."""
    if _NAMED not in body:
        return None
    try:
        said = _traced.decode(body)
    except UNREADABLE:
        return None
    return context_of(said.trace_id, said.span_id)


def kept_state(state: object) -> str:
    """A ``tracestate`` to pass on; empty where it is no text, too long, or more than plain characters."""
    if not isinstance(state, str) or len(state) > STATE_CHARACTERS:
        return ""
    return state if state.isascii() and state.isprintable() else ""
