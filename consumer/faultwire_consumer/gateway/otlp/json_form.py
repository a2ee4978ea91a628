"""Bodies in JSON: as protobuf's mapping to JSON says, and as exporters write it.

Ids are hex and not base64, 64-bit numbers are numbers or texts, enums are numbers or names, keys are of
either spelling; what is missing or of another kind has its default, and unknown keys are ignored.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_consumer.gateway.otlp.json_value import camel, dicts_of, held_in, read_attributes, read_value
from faultwire_consumer.gateway.otlp.limit import ATTRIBUTES, EVENTS, ID_DIGITS, STEPS, VALUES
from faultwire_consumer.gateway.otlp.record import LogRecord, OtlpGroup, OtlpScope, OtlpSpan, SpanEvent
from faultwire_consumer.gateway.otlp.result import UnreadableOtlpError
from faultwire_consumer.gateway.otlp.value import plain_id, plain_number, plain_text

T = TypeVar("T")

_FAILED: Final = (2, "2", "STATUS_CODE_ERROR")
_LEVEL: Final = re.compile(r"SEVERITY_NUMBER_(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)([2-4]?)", re.ASCII)
_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_NO_MARKS: Final = bytes(one for one in range(256) if one not in b',[{"')
_PIECE: Final = 64 * 1024


def json_logs(body: bytes) -> Iterator[OtlpGroup[LogRecord]]:
    """Yield the log records of a body.

    Raises:
        UnreadableOtlpError: it is no JSON, or holds too many values.
    """
    return _groups(_document(body), "resourceLogs", ("scopeLogs", "logRecords"), _log_record)


def json_traces(body: bytes) -> Iterator[OtlpGroup[OtlpSpan]]:
    """Yield the spans of a body.

    Raises:
        UnreadableOtlpError: it is no JSON, or holds too many values.
    """
    return _groups(_document(body), "resourceSpans", ("scopeSpans", "spans"), _span)


def count_json_metrics(body: bytes) -> int:
    """Count the metrics of a body.

    Raises:
        UnreadableOtlpError: it is no JSON, or holds too many values.
    """
    groups = _groups(_document(body), "resourceMetrics", ("scopeMetrics", "metrics"), lambda metric: metric)
    return sum(sum(1 for _ in group.records) for group in groups)


def _document(body: bytes) -> Mapping[str, Any]:
    if _marks_in(body) > VALUES and _marks_outside_texts(body) > VALUES:
        raise UnreadableOtlpError(f"it holds more than {VALUES:,} values")
    try:
        document = read_json(body)
    except UnreadableError as error:
        raise UnreadableOtlpError(str(error)) from None
    if not isinstance(document, dict):
        raise UnreadableOtlpError("it is no JSON object")
    return camel(document)


def _marks_in(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _marks_outside_texts(body: bytes) -> int:
    """Count piece by piece: a list of all texts would take more memory than the values do."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_MARKS)
    count, is_inside = 0, 0
    for begin in range(0, len(plain), _PIECE):
        parts = plain[begin : begin + _PIECE].split(b'"')
        count += sum(map(len, parts[is_inside::2]))
        is_inside = (is_inside + len(parts) - 1) % 2
    return count


def _groups(
    document: Mapping[str, Any],
    resources: str,
    names: tuple[str, str],
    read: Callable[[Mapping[str, Any]], T],
) -> Iterator[OtlpGroup[T]]:
    scopes, records = names
    for resource in dicts_of(document, resources, STEPS):
        attributes = read_attributes(held_in(resource, "resource"), ATTRIBUTES)
        for scope in dicts_of(resource, scopes, STEPS):
            yield OtlpGroup(
                resource=attributes,
                scope=_scope(held_in(scope, "scope")),
                records=map(_reader(read), islice(_listed(scope, records), STEPS)),
            )


def _listed(held: Mapping[str, Any], name: str) -> list[Any]:
    found = held.get(name)
    return found if isinstance(found, list) else []


def _reader(read: Callable[[Mapping[str, Any]], T]) -> Callable[[Any], T | None]:
    return lambda record: read(camel(record)) if isinstance(record, dict) else None


def _scope(given: Mapping[str, Any]) -> OtlpScope:
    return OtlpScope(plain_text(given.get("name")), plain_text(given.get("version")))


def _log_record(given: Mapping[str, Any]) -> LogRecord:
    return LogRecord(
        time=plain_number(given.get("timeUnixNano")),
        observed_time=plain_number(given.get("observedTimeUnixNano")),
        severity_number=_severity_number(given.get("severityNumber")),
        severity_text=plain_text(given.get("severityText")),
        body=read_value(given.get("body")),
        attributes=read_attributes(given, ATTRIBUTES),
        trace_id=plain_id(given.get("traceId")),
        span_id=plain_id(given.get("spanId"), ID_DIGITS // 2),
        event_name=plain_text(given.get("eventName")),
        is_cut=len(_listed(given, "attributes")) > ATTRIBUTES,
    )


def _severity_number(given: object) -> int:
    found = _LEVEL.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return plain_number(given)
    return 4 * _LEVELS.index(found[1]) + int(found[2] or 1)


def _span(given: Mapping[str, Any]) -> OtlpSpan:
    return OtlpSpan(
        trace_id=plain_id(given.get("traceId")),
        span_id=plain_id(given.get("spanId"), ID_DIGITS // 2),
        parent_span_id=plain_id(given.get("parentSpanId"), ID_DIGITS // 2),
        name=plain_text(given.get("name")),
        attributes=read_attributes(given, ATTRIBUTES),
        events=[_event(event) for event in dicts_of(given, "events", EVENTS)],
        has_failed=held_in(given, "status").get("code") in _FAILED,
        end_time=plain_number(given.get("endTimeUnixNano")),
    )


def _event(given: Mapping[str, Any]) -> SpanEvent:
    return SpanEvent(
        time=plain_number(given.get("timeUnixNano")),
        name=plain_text(given.get("name")),
        attributes=read_attributes(given, ATTRIBUTES),
    )
