"""The messages of OTLP by protobuf's library, read into our own records; importing this costs 7 MB."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from faultwire_consumer.gateway.otlp.limit import ATTRIBUTES, EVENTS, ID_DIGITS, ITEMS, VALUE_DEPTH
from faultwire_consumer.gateway.otlp.record import Attributes, LogRecord, OtlpScope, OtlpSpan, SpanEvent
from faultwire_consumer.gateway.otlp.value import plain_bytes, plain_float, plain_id, plain_text

M = TypeVar("M", bound=Message)

_FAILED: Final = 2


def read_log_record(content: bytes) -> LogRecord | None:
    """Read one record; None if it is none."""
    given = _decoded(logs_pb2.LogRecord, content)
    if given is None:
        return None
    return LogRecord(
        time=given.time_unix_nano,
        observed_time=given.observed_time_unix_nano,
        severity_number=given.severity_number,
        severity_text=plain_text(given.severity_text),
        body=_value(given.body),
        attributes=_attributes(given.attributes),
        trace_id=plain_id(given.trace_id),
        span_id=plain_id(given.span_id, ID_DIGITS // 2),
        event_name=plain_text(given.event_name),
        is_cut=len(given.attributes) > ATTRIBUTES,
    )


def read_span(content: bytes) -> OtlpSpan | None:
    """Read one span; None if it is none."""
    given = _decoded(trace_pb2.Span, content)
    if given is None:
        return None
    return OtlpSpan(
        trace_id=plain_id(given.trace_id),
        span_id=plain_id(given.span_id, ID_DIGITS // 2),
        parent_span_id=plain_id(given.parent_span_id, ID_DIGITS // 2),
        name=plain_text(given.name),
        attributes=_attributes(given.attributes),
        events=[_event(event) for event in given.events[:EVENTS]],
        has_failed=given.status.code == _FAILED,
        end_time=given.end_time_unix_nano,
    )


def read_resource(content: bytes) -> Attributes | None:
    """Read the attributes of a resource; None if it is none."""
    given = _decoded(resource_pb2.Resource, content)
    return None if given is None else _attributes(given.attributes)


def read_scope(content: bytes) -> OtlpScope | None:
    """Read a scope; None if it is none."""
    given = _decoded(InstrumentationScope, content)
    return None if given is None else OtlpScope(plain_text(given.name), plain_text(given.version))


def _event(given: trace_pb2.Span.Event) -> SpanEvent:
    return SpanEvent(
        time=given.time_unix_nano, name=plain_text(given.name), attributes=_attributes(given.attributes)
    )


def _decoded(kind: type[M], content: bytes) -> M | None:
    try:
        message: M = kind.FromString(content)
    except DecodeError:
        return None
    return message


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {plain_text(pair.key): _value(pair.value) for pair in islice(pairs, ATTRIBUTES)}


def _value(given: AnyValue, depth: int = 0) -> Any:
    name = given.WhichOneof("value")
    if name == "array_value" and depth < VALUE_DEPTH:
        return [_value(one, depth + 1) for one in given.array_value.values[:ITEMS]]
    if name == "kvlist_value" and depth < VALUE_DEPTH:
        pairs = given.kvlist_value.values[:ITEMS]
        return {plain_text(pair.key): _value(pair.value, depth + 1) for pair in pairs}
    return _SCALARS[name](getattr(given, name)) if name is not None and name in _SCALARS else None


_SCALARS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string_value": plain_text,
    "bool_value": bool,
    "int_value": int,
    "double_value": plain_float,
    "bytes_value": plain_bytes,
}
