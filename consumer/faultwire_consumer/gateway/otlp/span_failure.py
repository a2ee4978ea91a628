"""The exceptions among the events of spans."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from faultwire_consumer.gateway.otlp.exception import take_exception
from faultwire_consumer.gateway.otlp.failure import OtlpFailure
from faultwire_consumer.gateway.otlp.identity import digest_of, digest_of_failure
from faultwire_consumer.gateway.otlp.left import Left
from faultwire_consumer.gateway.otlp.origin import RecordOrigin
from faultwire_consumer.gateway.otlp.record import OtlpScope, OtlpSpan, SpanEvent
from faultwire_consumer.gateway.otlp.value import moment_of
from faultwire_consumer.gateway.stack_text.type_name import short_type
from faultwire_shared.event import ErrorSeverity

EXCEPTION: Final = "exception"
"""The name that the semantic conventions give to such an event."""
_ESCAPED: Final = "exception.escaped"


def failures_of_span(
    span: OtlpSpan, scope: OtlpScope, origin: RecordOrigin, *, service: str, received_at: datetime
) -> Iterator[OtlpFailure]:
    """Yield the exceptions that a span holds; one that leaves nested spans stands in each of them."""
    for event in span.events:
        if event.name == EXCEPTION:
            yield _failure(event, span, scope, origin, service=service, received_at=received_at)


def _failure(
    event: SpanEvent,
    span: OtlpSpan,
    scope: OtlpScope,
    origin: RecordOrigin,
    *,
    service: str,
    received_at: datetime,
) -> OtlpFailure:
    left = Left(span.attributes, event.attributes)
    exception, escaped = take_exception(left), left.take(_ESCAPED)
    is_shared = bool(span.trace_id and exception.type)
    return OtlpFailure(
        digest=digest_of_failure(
            service=service,
            trace_id=span.trace_id,
            kind=short_type(exception.type),
            message=exception.message,
        )
        if is_shared
        else digest_of(
            b"span", origin.content, msgspec.json.encode([scope, span.trace_id, span.span_id, event])
        ),
        is_shared=is_shared,
        moment=moment_of(event.time) or moment_of(span.end_time) or received_at,
        severity=ErrorSeverity.HIGH,
        exception=exception,
        attributes=left.others,
        transaction=span.name,
        handled=escaped.lower() != "true",
        trace_id=span.trace_id,
        span_id=span.span_id,
        is_root=not span.parent_span_id,
    )
