"""The standard error body, and the same as RFC 9457 problem details, for services and worker alike."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from faultwire_shared.accept import prefers
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.http_status import title_of

JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"


def error_fields(
    *,
    error_id: str,
    message: str,
    code: str,
    severity: ErrorSeverity,
    occurred_at: datetime,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """The six fields that every answer to an error has, in their order."""
    return {
        "id": error_id,
        "message": message,
        "code": code,
        "severity": severity.value,
        "timestamp": timestamp_of(occurred_at),
        "details": dict(details),
    }


def timestamp_of(moment: datetime) -> str:
    """A time in UTC by RFC 3339, with milliseconds: ``2026-11-23T10:00:00.123Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def standard_body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The standard body: ``{"error": {"id", "message", "code", "severity", "timestamp", "details"}}``."""
    return {"error": dict(fields)}


def problem_body(fields: Mapping[str, Any], *, status: int, instance: str) -> dict[str, Any]:
    """The same as RFC 9457 problem details, our fields as extension members."""
    return {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": fields["message"],
        "instance": instance,
        **fields,
    }


def negotiate_body(
    accept: str | None, *, body: Callable[[], object], problem: Callable[[], object]
) -> tuple[str, bytes]:
    """The content type and body for an ``Accept`` header: problem details only for those who ask."""
    if prefers(PROBLEM_TYPE, JSON_TYPE, accept):
        return PROBLEM_TYPE, msgspec.json.encode(problem(), enc_hook=str)
    return JSON_TYPE, msgspec.json.encode(body(), enc_hook=str)
