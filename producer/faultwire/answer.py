"""From an event to the response for the caller: what each category may say, and with which headers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from faultwire.publish.ticket import Ticket
from faultwire.response import SENTENCES, ErrorResponse
from faultwire_shared.event import Category, Event
from faultwire_shared.snapshot import Snapshot, clean_text
from faultwire_shared.taxonomy import DEFAULTS, AuthenticationError, Classification, ExternalError

_FRANK: Final = (Category.VALIDATION, Category.BUSINESS)
"""The categories whose own words and details a caller may read; the others hold internals."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def respond(
    error: object,
    event: Event,
    *,
    meaning: Classification,
    user_message: object,
    ticket: Ticket,
) -> ErrorResponse:
    """``response_for``, or the generic answer where the error's details are hostile; never raises."""
    try:
        return response_for(error, event, meaning=meaning, user_message=user_message, ticket=ticket)
    except Exception:  # noqa: BLE001 - details may raise anything, and the generic answer needs none
        return response_for(None, event, meaning=meaning, user_message=None, ticket=ticket)


def response_for(
    error: object,
    event: Event,
    *,
    meaning: Classification,
    user_message: object,
    ticket: Ticket,
) -> ErrorResponse:
    """The answer to an error, by its category's rules."""
    category = meaning.category
    frank = category in _FRANK
    message = clean_text(user_message) if user_message else event.message if frank else ""
    return ErrorResponse(
        error_id=ticket.event_id,
        message=message or SENTENCES[event.severity],
        severity=event.severity,
        occurred_at=event.occurred_at,
        category=category,
        code=meaning.code,
        status=_status(meaning),
        details=_details(error) if frank else _NOTHING,
        headers=_headers(error, meaning),
        ticket=ticket,
    )


def _status(meaning: Classification) -> int:
    status = meaning.status
    return status if type(status) is int and 100 <= status <= 599 else DEFAULTS[meaning.category].status


def _details(error: object) -> Mapping[str, Any]:
    details = getattr(error, "details", None)
    if not isinstance(details, Mapping):
        return _NOTHING
    return Snapshot().mapping("details", details)


def _headers(error: object, meaning: Classification) -> Mapping[str, str]:
    if meaning.category is Category.EXTERNAL and meaning.status == 503:
        seconds = getattr(error, "retry_after_seconds", ExternalError.retry_after_seconds)
        return {"Retry-After": str(max(0, int(seconds)))}
    if meaning.status == 401:
        challenge = clean_text(getattr(error, "challenge", AuthenticationError.challenge), 200)
        # A line break here would let the rest of the text become headers of its own.
        return {"WWW-Authenticate": "".join(c for c in challenge if c.isprintable())}
    return _NOTHING
