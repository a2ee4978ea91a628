"""Records of both forms of a body, with their resource and scope, and values as plain JSON."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

Attributes = dict[str, Any]
"""Values are texts, numbers, booleans, None, and lists and objects of them; bytes are base64."""
T = TypeVar("T")


class OtlpScope(Struct, frozen=True):
    """The library or logger that made records."""

    name: str = ""
    version: str = ""


class LogRecord(Struct, frozen=True, kw_only=True):
    """One line of a log. Times are nanoseconds since 1970, 0 where they are not known."""

    time: int = 0
    observed_time: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: Any = None
    attributes: Attributes = field(default_factory=dict)
    trace_id: str = ""
    """32 hex digits, or nothing."""
    span_id: str = ""
    """16 hex digits, or nothing."""
    event_name: str = ""
    is_cut: bool = False
    """It had more attributes than are read."""


class SpanEvent(Struct, frozen=True, kw_only=True):
    """Something that happened during a span."""

    time: int = 0
    name: str = ""
    attributes: Attributes = field(default_factory=dict)


class OtlpSpan(Struct, frozen=True, kw_only=True):
    """A piece of work with the events that happened during it."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    has_failed: bool = False
    """Its status says so."""
    end_time: int = 0


class OtlpGroup(Struct, Generic[T], frozen=True, kw_only=True):
    """Records of one resource and one scope."""

    resource: Attributes
    scope: OtlpScope
    records: Iterable[T | None]
    """Read one after the other, and once; None is one that could not be read."""
