"""A record that is an error, on its way to an event."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from faultwire_consumer.gateway.cut import fit
from faultwire_consumer.gateway.otlp.exception import STACK, TakenException, chain_of
from faultwire_consumer.gateway.otlp.left import Left
from faultwire_consumer.gateway.otlp.origin import RecordOrigin
from faultwire_consumer.gateway.otlp.record import Attributes
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_consumer.gateway.stack_text import STACK_CHARACTERS
from faultwire_shared.event import SCHEMA_VERSION, ErrorSeverity, ExceptionInfo


class OtlpFailure(Struct, frozen=True, kw_only=True):
    """An error with all that is known of it, its stack not read yet."""

    digest: str
    """Of its id: the same for the same failure."""
    is_shared: bool
    """Others may tell of the same failure: one event of all of them."""
    moment: datetime
    severity: ErrorSeverity
    severity_text: str = ""
    message: str = ""
    exception: TakenException
    attributes: Attributes
    """All but the exception's."""
    logger: str = ""
    transaction: str = ""
    handled: bool = True
    trace_id: str = ""
    span_id: str = ""
    is_root: bool = False
    """It left the outermost span of a service."""
    truncated: list[str] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, bool]:
        """The order of tellings of one failure: that with most stack is kept, else the outermost."""
        return len(self.exception.stack), self.is_root


def event_of(failure: OtlpFailure, origin: RecordOrigin, *, service: str, event_id: str) -> ReadEvent:
    """Build the event, with its stack read and all within its bounds."""
    left = Left(failure.attributes)
    chain = chain_of(failure.exception, failure.attributes, origin.language)
    document: dict[str, Any] = {
        "id": event_id,
        "schema_version": SCHEMA_VERSION,
        "occurred_at": failure.moment,
        "severity": failure.severity,
        "service": service,
        "severity_text": failure.severity_text or None,
        "message": _message(failure, has_chain=bool(chain)),
        **origin.fields,
        "handled": failure.handled,
        "exceptions": msgspec.to_builtins(chain),
        "tags": {"logger": failure.logger} if failure.logger else {},
        "user": _user(left),
        "request": _request(left),
        "context": left.others | _unread(failure, chain) | _resource(origin),
        "transaction": failure.transaction or None,
        "trace_id": failure.trace_id or None,
        "span_id": failure.span_id or None,
        "truncated": _truncated(failure),
        "sdk": {"name": origin.sdk.name, "version": origin.sdk.version},
    }
    return ReadEvent(
        id=event_id, severity=failure.severity, body=fit(document), sdk=origin.sdk, service=service
    )


def _message(failure: OtlpFailure, *, has_chain: bool) -> str:
    """Return the text of a record; without an exception there has to be one."""
    if not has_chain:
        exception = failure.exception
        return failure.message or exception.message or exception.stack or "an error without a text"
    is_stack = failure.message == failure.exception.stack
    return failure.message.partition("\n")[0] if is_stack else failure.message


def _unread(failure: OtlpFailure, chain: list[ExceptionInfo]) -> Attributes:
    """Keep a stack of a form that is not known here, so that people can read it."""
    stack = failure.exception.stack
    is_read = stack == failure.message or any(one.frames for one in chain)
    return {STACK: stack} if stack and not is_read else {}


def _resource(origin: RecordOrigin) -> Attributes:
    return {"resource": origin.others} if origin.others else {}


def _truncated(failure: OtlpFailure) -> list[str]:
    is_cut = len(failure.exception.stack) > STACK_CHARACTERS
    return [*failure.truncated, "exceptions.frames"] if is_cut else failure.truncated


def _user(left: Left) -> dict[str, str]:
    found = {
        "id": left.take("user.id", "enduser.id"),
        "email": left.take("user.email"),
        "username": left.take("user.name"),
    }
    return {key: value for key, value in found.items() if value}


def _request(left: Left) -> dict[str, str]:
    found = {
        "method": left.take("http.request.method", "http.method"),
        "url": left.take("url.full", "http.url", "url.path", "http.target"),
    }
    return {key: value for key, value in found.items() if value}
