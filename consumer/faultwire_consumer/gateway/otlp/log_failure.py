"""The errors among log records."""

from datetime import datetime
from typing import Any

import msgspec

from faultwire_consumer.gateway.otlp.exception import TakenException, names_exception, take_exception
from faultwire_consumer.gateway.otlp.failure import OtlpFailure
from faultwire_consumer.gateway.otlp.identity import digest_of, digest_of_failure
from faultwire_consumer.gateway.otlp.left import Left
from faultwire_consumer.gateway.otlp.origin import RecordOrigin
from faultwire_consumer.gateway.otlp.record import LogRecord, OtlpScope
from faultwire_consumer.gateway.otlp.severity import is_error, severity_of
from faultwire_consumer.gateway.otlp.value import moment_of
from faultwire_consumer.gateway.stack_text.type_name import short_type


def failure_of_log(
    record: LogRecord, scope: OtlpScope, origin: RecordOrigin, *, service: str, received_at: datetime
) -> OtlpFailure | None:
    """Return the error that a log record tells of; None for any other record."""
    if not names_exception(record.attributes) and not is_error(record.severity_number, record.severity_text):
        return None
    left = Left(record.attributes)
    message = _text_of(record.body) or record.event_name
    exception = take_exception(left)
    if not exception.is_there and "\n" in message:
        exception = TakenException(stack=message)  # of a program that writes its tracebacks to its log
    is_shared = bool(record.trace_id and exception.type)
    return OtlpFailure(
        digest=digest_of_failure(
            service=service,
            trace_id=record.trace_id,
            kind=short_type(exception.type),
            message=exception.message,
        )
        if is_shared
        else digest_of(b"log", origin.content, msgspec.json.encode([scope, record])),
        is_shared=is_shared,
        moment=moment_of(record.time) or moment_of(record.observed_time) or received_at,
        severity=severity_of(record.severity_number, record.severity_text),
        severity_text=record.severity_text,
        message=message,
        exception=exception,
        attributes=left.others,
        logger=scope.name,
        trace_id=record.trace_id,
        span_id=record.span_id,
        truncated=["context"] if record.is_cut else [],
    )


def _text_of(body: Any) -> str:
    """Return a body's text; what is structured as compact JSON."""
    if body is None or isinstance(body, str):
        return body or ""
    return msgspec.json.encode(body).decode()
