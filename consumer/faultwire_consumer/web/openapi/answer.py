"""Answers as a route declares them: the status, and what is sent by media type."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from faultwire_shared.error_body import JSON_TYPE

TEXT_TYPE: Final = "text/plain"
EVENT_STREAM: Final = "text/event-stream"


class GivenAnswer(Struct, frozen=True, kw_only=True):
    """An answer that a handler gives."""

    content: Mapping[str, Any]
    """The type of the document for each media type; None where it is no JSON."""
    about: str
    status: int = 200
    headers: Mapping[str, str] = {}
    """Headers that may be there, and what each says."""


class ErrorFields(Struct, frozen=True, kw_only=True):
    """A failure as programs read it."""

    id: Annotated[str, Meta(description="Quote it: logs and, for a fault of the worker, an event have it.")]
    message: str
    code: Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$", description="Stable, for programs.")]
    severity: Annotated[str, Meta(extra_json_schema={"enum": ["low", "medium", "high", "critical"]})]
    timestamp: datetime
    details: dict[str, Any]


class ErrorDocument(Struct, frozen=True):
    """The standard error body."""

    error: ErrorFields


class ProblemDocument(ErrorFields, frozen=True, kw_only=True):
    """The same as RFC 9457 problem details, for those who accept application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


def json_answer_of(kind: Any) -> GivenAnswer:
    """Return the usual answer: one JSON document of that type."""
    headers = {}
    if "next_cursor" in getattr(kind, "__struct_fields__", ()):
        headers["Link"] = 'The page that follows, as rel="next"; not there at the end.'
    return GivenAnswer(content={JSON_TYPE: kind}, about="As asked for.", headers=headers)
