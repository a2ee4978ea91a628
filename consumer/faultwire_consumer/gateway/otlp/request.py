"""OTLP/HTTP's three requests: bytes in, events out.

Exceptions are taken of log records and of spans' events; metrics are counted, so that exporters are at peace.
"""

from faultwire_consumer.gateway.otlp.answer import RejectedField, partial_body, success_body
from faultwire_consumer.gateway.otlp.gathering import Gathering
from faultwire_consumer.gateway.otlp.json_form import count_json_metrics, json_logs, json_traces
from faultwire_consumer.gateway.otlp.kind import BodyKind
from faultwire_consumer.gateway.otlp.log_failure import failure_of_log
from faultwire_consumer.gateway.otlp.origin import origin_of
from faultwire_consumer.gateway.otlp.protobuf import (
    count_protobuf_metrics,
    protobuf_logs,
    protobuf_traces,
)
from faultwire_consumer.gateway.otlp.result import OtlpContext, OtlpReading
from faultwire_consumer.gateway.otlp.span_failure import failures_of_span
from faultwire_consumer.gateway.reading import Reading


def read_logs(body: bytes, kind: BodyKind, context: OtlpContext) -> OtlpReading:
    """Read the body of ``/v1/logs``, uncompressed: an event of each record of an error.

    Raises:
        UnreadableOtlpError: it is not what its kind says.
    """
    found = Gathering()
    for group in (protobuf_logs if kind is BodyKind.PROTOBUF else json_logs)(body):
        origin = origin_of(group.resource, context)
        for record in group.records:
            if not found.admit(origin, record) or record is None or origin.service is None:
                continue
            failure = failure_of_log(
                record, group.scope, origin, service=origin.service, received_at=context.received_at
            )
            if failure is None:
                found.dropped["otlp_log"] += 1
            else:
                found.add(failure, origin, origin.service)
    return _reading(found, kind, RejectedField.LOG_RECORDS)


def read_traces(body: bytes, kind: BodyKind, context: OtlpContext) -> OtlpReading:
    """Read the body of ``/v1/traces``, uncompressed: an event of each exception that spans hold.

    Raises:
        UnreadableOtlpError: it is not what its kind says.
    """
    found = Gathering()
    for group in (protobuf_traces if kind is BodyKind.PROTOBUF else json_traces)(body):
        origin = origin_of(group.resource, context)
        for span in group.records:
            if not found.admit(origin, span) or span is None or origin.service is None:
                continue
            has_exception = False
            for failure in failures_of_span(
                span, group.scope, origin, service=origin.service, received_at=context.received_at
            ):
                has_exception = True
                found.add(failure, origin, origin.service)
            if not has_exception:
                found.dropped["otlp_failed_span" if span.has_failed else "otlp_span"] += 1
    return _reading(found, kind, RejectedField.SPANS)


def count_metrics(body: bytes, kind: BodyKind) -> OtlpReading:
    """Count the metrics of the body of ``/v1/metrics``, uncompressed: none of them is stored.

    Raises:
        UnreadableOtlpError: it is not what its kind says.
    """
    count = (count_protobuf_metrics if kind is BodyKind.PROTOBUF else count_json_metrics)(body)
    reading = Reading(dropped={"otlp_metric": count} if count else {})
    return OtlpReading(reading=reading, answer=success_body(kind))


def _reading(found: Gathering, kind: BodyKind, signal: RejectedField) -> OtlpReading:
    rejected = found.unreadable + found.too_many + found.foreign
    reading = Reading(
        events=found.events,
        dropped=dict(found.dropped),
        broken=found.unreadable + found.too_many,
        sdk=found.sdk,
    )
    return OtlpReading(
        reading=reading,
        rejected=rejected,
        foreign=found.foreign,
        foreign_service=found.foreign_service,
        answer=partial_body(kind, signal, rejected, _why(found)) if rejected else success_body(kind),
    )


def _why(found: Gathering) -> str:
    reasons = {
        f"of the service {found.foreign_service[:50]!r}, which this token may not speak for": found.foreign,
        "not readable": found.unreadable,
        "too many for one request": found.too_many,
    }
    return "; ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
