"""From a handled error to the response for the caller: what each category may say, and with which headers."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from faultwire.capture.chain import is_exception, text_of
from faultwire.capture.handled import Handled
from faultwire.queue.ticket import Ticket
from faultwire.response.response import SENTENCES, ErrorResponse
from faultwire_shared.event import STRING_CHARACTERS, Category
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import Snapshot, clean_text
from faultwire_shared.taxonomy import DEFAULTS, AuthenticationError, Classification, ExternalError

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def respond(
    handled: Handled, ticket: Ticket, *, user_message: object, text: str | None = None
) -> ErrorResponse:
    """The answer to an error, by its category's rules; never raises.

    Args:
        handled: the error.
        ticket: of the event that stands for it.
        user_message: shown in place of what the category would say.
        text: the error's own text, where it is at hand.
    """
    try:
        frank = handled.meaning.frank
        message = clean_text(user_message) if user_message else ""
        if frank and not message:
            message = _own_text(handled.error) if text is None else text
        details = _details(handled.error) if frank else _NOTHING
        return _response(handled, ticket, message, details, _headers(handled.error, handled.meaning))
    except BaseException as failure:  # noqa: BLE001 - details may raise anything, and the generic answer needs none
        pass_interruption(failure)
        return _response(handled, ticket, "", _NOTHING, _headers(None, handled.meaning))


def refuse(ticket: Ticket, at: datetime) -> ErrorResponse:
    """The answer to an error of which nothing could be read."""
    meaning = DEFAULTS[Category.SYSTEM]
    return ErrorResponse(
        error_id=ticket.event_id,
        message=SENTENCES[meaning.severity],
        severity=meaning.severity,
        occurred_at=at,
        category=meaning.category,
        code=meaning.code,
        status=meaning.status,
        details=_NOTHING,
        headers=_NOTHING,
        ticket=ticket,
    )


def _response(
    handled: Handled,
    ticket: Ticket,
    message: str,
    details: Mapping[str, Any],
    headers: Mapping[str, str],
) -> ErrorResponse:
    return ErrorResponse(
        error_id=ticket.event_id,
        message=message or SENTENCES[handled.severity],
        severity=handled.severity,
        occurred_at=handled.at,
        category=handled.meaning.category,
        code=handled.meaning.code,
        status=_status(handled.meaning),
        details=details,
        headers=headers,
        ticket=ticket,
    )


def _own_text(error: object) -> str:
    return text_of(error)[:STRING_CHARACTERS] if is_exception(error) else clean_text(error)


def _status(meaning: Classification) -> int:
    status = meaning.status
    return status if type(status) is int and 100 <= status <= 599 else DEFAULTS[meaning.category].status


def _details(error: object) -> Mapping[str, Any]:
    details = getattr(error, "details", None)
    # By its type, as isinstance would ask a lazy object for its `__class__`.
    if not issubclass(type(details), Mapping):
        return _NOTHING
    return Snapshot().mapping("details", details)


def _headers(error: object, meaning: Classification) -> Mapping[str, str]:
    if meaning.category is Category.EXTERNAL and meaning.status == 503:
        seconds = getattr(error, "retry_after_seconds", ExternalError.retry_after_seconds)
        return {"Retry-After": str(max(0, int(seconds)))}
    if meaning.status == 401:
        challenge = clean_text(_challenge_of(error), 200)
        # A line break here would let the rest of the text become headers of its own.
        return {"WWW-Authenticate": "".join(c for c in challenge if c.isprintable())}
    return _NOTHING


def _challenge_of(error: object) -> object:
    # Of ours alone: a client of an upstream keeps under this name what that one has asked of us.
    return error.challenge if isinstance(error, AuthenticationError) else AuthenticationError.challenge
