"""The ids of records, which carry none: made of what they hold, so that one sent again is the same."""

import hashlib
from datetime import date
from typing import Final

import msgspec

_DIGITS: Final = 32


def digest_of_failure(*, service: str, trace_id: str, kind: str, message: str) -> str:
    """Name an exception of a trace, whoever tells of it: nested spans, a log, a batch that is sent twice.

    Args:
        service: whose exception it is.
        trace_id: of the trace.
        kind: the type's own name, without the module that some exporters leave off.
        message: the exception's.
    """
    return digest_of(b"failure", msgspec.json.encode([service, trace_id, kind, message]))


def digest_of(*contents: bytes) -> str:
    """Name a record by all that it holds."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8))
        digest.update(content)
    return digest.hexdigest()[:_DIGITS]


def event_id(day: date, digest: str) -> str:
    """Return the id of an event.

    The day is of the record's own time, so that a batch sent again after midnight is the same. A log record
    and a span of one failure have times of their own: where midnight is between them, they are two events,
    and so are nested spans if they come in two requests. Nothing that all of them hold names one day.
    """
    return f"error_{day:%Y%m%d}_{digest}"
