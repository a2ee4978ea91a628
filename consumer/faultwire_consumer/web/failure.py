"""Every failure of a request as an answer: the standard error body, or problem+json, or the page's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from faultwire_consumer.web.request import route_of
from faultwire_consumer.web.state import REPORT
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.event_id import new_event_id
from faultwire_shared.http_status import code_of, title_of
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import CategorizedError, classify

PROBLEM: Final = "application/problem+json"
_OWN_WORDS: Final = (Category.VALIDATION, Category.BUSINESS)
_GENERIC: Final = {
    Category.AUTHENTICATION: "You may not do this.",
    Category.EXTERNAL: "Something that the worker depends on does not answer now. Please try again soon.",
    Category.SYSTEM: "The worker failed at this request. The reason is kept under this id.",
}
_log = get_logger("faultwire.web")


class Failure(Struct, frozen=True, kw_only=True):
    """A failed request as its caller is told."""

    id: str
    status: int
    code: str
    message: str
    severity: ErrorSeverity
    at: datetime
    details: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def title(self) -> str:
        """The status in words."""
        return title_of(self.status)

    def body(self) -> dict[str, Any]:
        """The standard error format."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "error": {
                "id": self.id,
                "message": self.message,
                "code": self.code,
                "severity": self.severity.value,
                "timestamp": at,
                "details": dict(self.details),
            }
        }

    def problem(self, instance: str) -> dict[str, Any]:
        """RFC 9457, with the standard format's fields as extensions."""
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.message,
            "instance": instance,
        }
        extensions: dict[str, Any] = self.body()["error"]
        return problem | extensions


def failure_of(error: Exception, *, request: web.Request, now: datetime) -> Failure:
    """What the caller is told of an error; what is the worker's own fault is an event of its own."""
    if isinstance(error, web.HTTPException):
        return _of_http(error, now)
    meaning = classify(error)
    if meaning.status >= 500:
        return _of_fault(error, request=request, now=now)
    return Failure(
        id=new_event_id(now),
        status=meaning.status,
        code=meaning.code,
        message=str(error) if meaning.category in _OWN_WORDS else _GENERIC[meaning.category],
        severity=meaning.severity,
        at=now,
        details=error.details if isinstance(error, CategorizedError) else {},
        headers={},
    )


def _of_fault(error: Exception, *, request: web.Request, now: datetime) -> Failure:
    """The client's answer, whose id leads to the event; in a burst, to the first of its kind."""
    answer = request.app[REPORT].report(
        error,
        part=f"{request.method} {route_of(request)}",
        user_message=_GENERIC[classify(error).category],
        request={"method": request.method, "url": request.path},
    )
    _log.error("request.failed", error_id=answer.error_id, method=request.method, path=request.path)
    return Failure(
        id=answer.error_id,
        status=answer.status,
        code=answer.code,
        message=answer.message,
        severity=answer.severity,
        at=now,
        details=answer.details,
        headers=answer.headers,
    )


def json_response(failure: Failure, request: web.Request) -> web.Response:
    """The failure in the format that the caller accepts."""
    if PROBLEM in request.headers.get("Accept", ""):
        body, content_type = failure.problem(request.path), PROBLEM
    else:
        body, content_type = failure.body(), "application/json"
    return web.Response(
        body=msgspec.json.encode(body, enc_hook=str),
        status=failure.status,
        content_type=content_type,
        headers=failure.headers,
    )


def _of_http(error: web.HTTPException, now: datetime) -> Failure:
    said = error.text if error.text and not error.text.startswith(str(error.status)) else None
    kept = ("Allow", "Retry-After")
    return Failure(
        id=new_event_id(now),
        status=error.status,
        code=code_of(error.status),
        message=said or f"{title_of(error.status)}.",
        severity=ErrorSeverity.HIGH if error.status >= 500 else ErrorSeverity.LOW,
        at=now,
        details={},
        headers={name: error.headers[name] for name in kept if name in error.headers},
    )
