"""Every failure of a request as an answer: the standard error body, or problem+json, or the page's."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.serving.refusal import AnnouncedError
from faultwire_consumer.web.access.refusal import AccessRefused
from faultwire_consumer.web.request import route_of
from faultwire_consumer.web.state import REPORT
from faultwire_shared.error_body import error_fields, negotiate_body, problem_body, standard_body
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.event_id import new_event_id
from faultwire_shared.http_status import code_of, title_of
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import DEFAULTS, CategorizedError, classify

_GENERIC: Final = {
    Category.AUTHENTICATION: "You may not do this.",
    Category.EXTERNAL: "Something that the worker depends on does not answer now. Please try again soon.",
    Category.SYSTEM: "The worker failed at this request. The reason is kept under this id.",
}
_FAULTS: Final = (Category.EXTERNAL, Category.SYSTEM)
_log = get_logger("faultwire.web")


class Failure(Struct, frozen=True, kw_only=True):
    """A failed request as its caller sees it."""

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

    def negotiate(self, accept: str | None, *, instance: str) -> tuple[str, bytes]:
        """The content type and body for an ``Accept`` header, as every service of the client answers."""
        fields = error_fields(
            error_id=self.id,
            message=self.message,
            code=self.code,
            severity=self.severity,
            occurred_at=self.at,
            details=self.details,
        )
        return negotiate_body(
            accept,
            body=partial(standard_body, fields),
            problem=partial(problem_body, fields, status=self.status, instance=instance),
        )


def failure_of(error: Exception, *, request: web.Request, now: datetime) -> Failure:
    """The answer to an error; one that is the worker's own fault also becomes an event.

    Only errors of our own classes are answered in their words: what a library says of a value
    does not say that the value was the caller's.
    """
    if isinstance(error, web.HTTPException):
        return _of_http(error, now)
    if isinstance(error, AccessRefused):
        return _of_access(error, now)
    if isinstance(error, AnnouncedError):
        return _of_state(error, now)
    if not isinstance(error, CategorizedError) or error.status >= 500:
        return _of_fault(error, request=request, now=now)
    return Failure(
        id=new_event_id(now),
        status=error.status,
        code=error.code,
        message=str(error) if classify(error).frank else _GENERIC[error.category],
        severity=error.severity,
        at=now,
        details=error.details,
        headers={},
    )


def _of_access(error: AccessRefused, now: datetime) -> Failure:
    """The answer to whom the guard turned away, in its own words: they tell nobody else's secrets."""
    return Failure(
        id=new_event_id(now),
        status=error.status,
        code=error.code,
        message=str(error),
        severity=error.severity,
        at=now,
        details=error.details,
        headers={"WWW-Authenticate": error.challenge},
    )


def _of_state(error: AnnouncedError, now: datetime) -> Failure:
    """The answer while the worker takes nothing, which is no event for each who asks."""
    return Failure(
        id=new_event_id(now),
        status=error.status,
        code=error.code,
        message=_GENERIC[error.category],
        severity=error.severity,
        at=now,
        details={},
        headers={"Retry-After": str(error.retry_after_seconds)},
    )


def _of_fault(error: Exception, *, request: web.Request, now: datetime) -> Failure:
    """The client's answer, whose id leads to the event; in a burst, to the first of its kind."""
    meaning, severity = classify(error), None
    if meaning.category not in _FAULTS:
        meaning = DEFAULTS[Category.SYSTEM]
        severity = meaning.severity
    message = _GENERIC[meaning.category]
    answer = request.app[REPORT].report(
        error,
        part=f"{request.method} {route_of(request)}",
        severity=severity,
        user_message=message,
        request={"method": request.method, "url": request.path},
    )
    _log.error("request.failed", error_id=answer.error_id, method=request.method, path=request.path)
    return Failure(
        id=answer.error_id,
        status=meaning.status,
        code=meaning.code,
        message=message,
        severity=answer.severity,
        at=now,
        details={},
        headers=answer.headers if answer.status == meaning.status else {},
    )


def json_response(failure: Failure, request: web.Request) -> web.Response:
    """The failure in the format that the caller accepts."""
    content_type, body = failure.negotiate(request.headers.get("Accept"), instance=request.path)
    return web.Response(body=body, status=failure.status, content_type=content_type, headers=failure.headers)


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
