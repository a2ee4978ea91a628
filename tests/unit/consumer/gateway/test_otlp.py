"""OTLP's requests: what is taken of them, whose it is, what names it, and what is answered."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from faultwire_consumer.gateway.otlp.answer import (
    RejectedField,
    StatusCode,
    partial_body,
    status_body,
    success_body,
)
from faultwire_consumer.gateway.otlp.kind import BodyKind, body_kind
from faultwire_consumer.gateway.otlp.limit import RECORDS
from faultwire_consumer.gateway.otlp.origin import sdk_of_agent
from faultwire_consumer.gateway.otlp.request import count_metrics, read_logs, read_traces
from faultwire_consumer.gateway.otlp.result import OtlpContext, OtlpReading, UnreadableOtlpError
from faultwire_consumer.gateway.otlp.wire import Wire
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_shared.event import EVENT_BYTES, Event, Sdk

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOON = 1_795_953_600_000_000_000
CONTEXT = OtlpContext(received_at=NOW, service="token")
TRACE = "701dbadcc71c1df296cbeb43889a3837"
STACK = (
    "Traceback (most recent call last):\n"
    '  File "/srv/app/otel.py", line 36, in pay\n'
    '    raise PaymentError("no")\n'
    "shop.PaymentError: no\n"
)

Document = dict[str, Any]


def value_of(value: object) -> Document:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes_of(value)}}
    return {} if value is None else {"stringValue": value}


def attributes_of(values: dict[str, Any]) -> list[Document]:
    return [{"key": key, "value": value_of(value)} for key, value in values.items()]


def log(body: object = "no", severity: int | str = 17, /, at: int = NOON, **attributes: Any) -> Document:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return {
        "timeUnixNano": str(at),
        "severityNumber": severity,
        "body": value_of(body),
        "attributes": attributes_of(named),
    }


def failing(kind: str = "PaymentError", *, stack: str = STACK, trace: str = TRACE, **fields: Any) -> Document:
    record = log("failed", exception__type=kind, exception__message="no", exception__stacktrace=stack)
    return record | {"traceId": trace} | fields


def span(
    name: str, *events: Document, trace: str = TRACE, parent: str = "", failed: bool = False
) -> Document:
    return {
        "traceId": trace,
        "spanId": "5310aa76f593fa65",
        "parentSpanId": parent,
        "name": name,
        "endTimeUnixNano": NOON,
        "events": list(events),
        "status": {"code": 2} if failed else {},
    }


def thrown(
    kind: str = "shop.PaymentError", *, stack: str = STACK, at: int = NOON, escaped: object = False
) -> Document:
    values: dict[str, object] = {"exception.type": kind, "exception.message": "no"}
    values |= {"exception.stacktrace": stack, "exception.escaped": escaped}
    return {"name": "exception", "timeUnixNano": at, "attributes": attributes_of(values)}


def logs_body(*records: object, **resource: Any) -> bytes:
    return _body("Logs", "logRecords", records, resource)


def traces_body(*spans: object, **resource: Any) -> bytes:
    return _body("Spans", "spans", spans, resource)


def _body(kind: str, name: str, records: tuple[object, ...], resource: dict[str, Any]) -> bytes:
    values = {"service.name": "shop", "telemetry.sdk.language": "python"} | resource
    group = {"scope": {"name": "shop.orders"}, name: list(records)}
    return json.dumps(
        {f"resource{kind}": [{"resource": {"attributes": attributes_of(values)}, f"scope{kind}": [group]}]}
    ).encode()


def read(body: bytes, context: OtlpContext = CONTEXT) -> OtlpReading:
    return read_logs(body, BodyKind.JSON, context)


def spans(*given_spans: Document, **resource: Any) -> OtlpReading:
    return read_traces(traces_body(*given_spans, **resource), BodyKind.JSON, CONTEXT)


def events_in(reading: OtlpReading) -> list[Event]:
    for event in reading.reading.events:
        decode_narrow(event.body)
    return [msgspec.json.decode(event.body, type=Event) for event in reading.reading.events]


def event_in(reading: OtlpReading) -> Event:
    (event,) = events_in(reading)
    return event


@pytest.mark.parametrize(
    ("named", "context", "service"),
    [
        ("shop", CONTEXT, "shop"),
        ("shop", OtlpContext(received_at=NOW, service="token", patterns=("sh*",)), "shop"),
        ("unknown_service", CONTEXT, "token"),
        ("unknown_service:python", CONTEXT, "token"),
        ("", CONTEXT, "token"),
        ("shop", OtlpContext(received_at=NOW, service="billing", is_fixed=True), "billing"),
    ],
)
def test_a_service_is_the_resources_or_the_tokens(named: str, context: OtlpContext, service: str) -> None:
    reading = read(logs_body(log(), **{"service.name": named}), context)

    assert event_in(reading).service == service
    assert reading.reading.events[0].service == service


def test_records_of_a_service_that_the_token_does_not_allow_are_rejected() -> None:
    reading = read(
        logs_body(log(), log()), OtlpContext(received_at=NOW, service="token", patterns=("bill*",))
    )

    assert (reading.rejected, reading.foreign, reading.foreign_service) == (2, 2, "shop")
    assert reading.reading.events == []
    answer = json.loads(reading.answer)["partialSuccess"]
    assert answer["rejectedLogRecords"] == "2"
    assert "shop" in answer["errorMessage"]


@pytest.mark.parametrize(
    ("number", "text", "severity"),
    [
        (17, "", "high"),
        (20, "", "high"),
        (21, "", "critical"),
        (24, "", "critical"),
        (99, "", "critical"),
        ("SEVERITY_NUMBER_ERROR4", "", "high"),
        ("SEVERITY_NUMBER_FATAL", "", "critical"),
        (0, "error", "high"),
        (0, "Critical", "critical"),
        (0, "FATAL2", "critical"),
    ],
)
def test_a_record_of_an_error_is_taken_by_its_number_or_its_word(
    number: int | str, text: str, severity: str
) -> None:
    assert event_in(read(logs_body(log("no", number) | {"severityText": text}))).severity == severity


@pytest.mark.parametrize(("number", "text"), [(16, "ERROR"), (9, ""), (0, "warn"), (0, ""), (-1, "")])
def test_a_record_below_error_is_counted_and_accepted(number: int, text: str) -> None:
    reading = read(logs_body(log("no", number) | {"severityText": text}))

    assert reading.reading.events == []
    assert reading.reading.dropped == {"otlp_log": 1}
    assert reading.reading.sdk == Sdk(name="opentelemetry.python")
    assert reading.answer == b"{}"


@pytest.mark.parametrize(("number", "severity"), [(9, "low"), (13, "medium"), (0, "high")])
def test_an_exception_is_taken_whatever_its_severity(number: int, severity: str) -> None:
    assert event_in(read(logs_body(failing(severityNumber=number)))).severity == severity


def test_a_log_record_becomes_an_event_with_all_that_it_says() -> None:
    record = failing() | {"spanId": "5310aa76f593fa65", "severityText": "ERROR"}
    record["attributes"] += attributes_of(
        {"order": 17, "code.lineno": 3, "http.method": "GET", "user.id": "u-1"}
    )
    resource = {"service.version": "1.4.2", "deployment.environment": "staging", "host.name": "web-1"}
    event = event_in(read(logs_body(record, **resource, **{"k8s.pod.name": "shop-0"})))

    assert (event.message, event.release, event.environment, event.host) == (
        "failed",
        "1.4.2",
        "staging",
        "web-1",
    )
    assert (event.trace_id, event.span_id) == (TRACE, "5310aa76f593fa65")
    assert event.occurred_at == datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert event.tags == {"logger": "shop.orders"}
    assert event.context == {"order": 17, "code.lineno": 3, "resource": {"k8s.pod.name": "shop-0"}}
    assert (event.request, event.user) == ({"method": "GET"}, {"id": "u-1"})
    (raised,) = event.exceptions
    assert (raised.module, raised.type, raised.value) == ("shop", "PaymentError", "no")
    assert [(frame.file, frame.line) for frame in raised.frames] == [("/srv/app/otel.py", 36)]


def test_where_no_stack_came_the_place_of_the_log_is_its_frame() -> None:
    place = {"code.file.path": "/srv/app/pay.py", "code.function.name": "pay", "code.line.number": 7}
    record = failing(stack="")
    record["attributes"] += attributes_of(place)

    (frame,) = event_in(read(logs_body(record))).exceptions[0].frames
    assert (frame.file, frame.qualname, frame.line, frame.in_app) == ("/srv/app/pay.py", "pay", 7, True)


def test_a_stack_of_an_unknown_form_is_kept_as_a_text() -> None:
    stack = "goroutine 1 [running]:\nmain.main()\n\t/srv/main.go:3 +0x1d"
    event = event_in(
        read(logs_body(failing("*errors.errorString", stack=stack), **{"telemetry.sdk.language": "go"}))
    )

    assert event.context == {"exception.stacktrace": stack}
    assert [(one.type, one.frames) for one in event.exceptions] == [("*errors.errorString", [])]


def test_the_notes_of_an_exception_are_told_apart_from_its_message() -> None:
    (raised,) = event_in(read(logs_body(failing(stack=f"{STACK}order 17\nof c-9\n")))).exceptions

    assert (raised.value, raised.notes) == ("no", ["order 17", "of c-9"])


@pytest.mark.parametrize("words", ["payment failed", "ERROR: payment failed"])
def test_a_traceback_in_a_body_is_read_too(words: str) -> None:
    event = event_in(read(logs_body(log(f"{words}\n{STACK}"))))

    assert event.message == words
    assert [(one.module, one.type, len(one.frames)) for one in event.exceptions] == [
        ("shop", "PaymentError", 1)
    ]


def test_a_body_of_several_lines_that_is_no_stack_is_a_message() -> None:
    event = event_in(read(logs_body(log("Error: two\nlines"), **{"telemetry.sdk.language": "nodejs"})))

    assert (event.message, event.exceptions) == ("Error: two\nlines", [])


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        ("OTel-OTLP-Exporter-JavaScript/0.301.0", "opentelemetry.javascript", "0.301.0"),
        ("OTel-OTLP-JSON-Exporter-Python/0.66b1", "opentelemetry.python", "0.66b1"),
        ("OTel OTLP Exporter Go/1.24.0", "opentelemetry.go", "1.24.0"),
    ],
)
def test_an_exporter_is_named_by_its_agent_where_its_resource_does_not(
    agent: str, name: str, version: str
) -> None:
    context = OtlpContext(received_at=NOW, service="token", sdk=sdk_of_agent(agent))
    values = {"telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "2"}

    (unnamed,) = read(logs_body(log()), context).reading.events
    (named,) = read(logs_body(log(), **values), context).reading.events
    assert (unnamed.sdk, named.sdk) == (
        Sdk(name=name, version=version),
        Sdk(name="opentelemetry.python", version="2"),
    )
    assert sdk_of_agent("Mozilla/5.0") is None


def test_a_structured_body_is_its_json_and_an_empty_one_still_an_event() -> None:
    structured, empty = events_in(read(logs_body(log({"b": [1, True], "a": None}), {"severityNumber": 17})))

    assert structured.message == '{"b":[1,true],"a":null}'
    assert empty.message
    assert empty.occurred_at == NOW


def test_the_time_of_observation_stands_in_for_a_time_that_is_not_known() -> None:
    record = log(at=0) | {"observedTimeUnixNano": NOON}

    assert event_in(read(logs_body(record))).occurred_at == datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_an_exception_that_leaves_nested_spans_is_one_event_of_the_outermost() -> None:
    inner = span("charge", thrown(), parent="be08ba6c9ecb65f5")
    outer = span("GET /orders", thrown(at=NOON + 1_000_000))
    reading = spans(inner, outer, span("fine"), span("bad", failed=True))

    assert event_in(reading).transaction == "GET /orders"
    assert reading.reading.dropped == {"otlp_same_failure": 1, "otlp_span": 1, "otlp_failed_span": 1}


def test_of_two_tellings_of_a_failure_the_one_with_more_stack_is_kept() -> None:
    assert (
        event_in(spans(span("a", thrown(stack="")), span("b", thrown(), parent="1" * 16))).transaction == "b"
    )
    assert event_in(spans(span("b", thrown()), span("a", thrown(stack="")))).transaction == "b"


def test_a_log_and_a_span_that_tell_of_one_failure_have_one_id() -> None:
    of_log = event_in(read(logs_body(failing("PaymentError"))))
    of_span = event_in(spans(span("charge", thrown("shop.PaymentError"))))

    assert of_log.id == of_span.id


def test_failures_of_other_traces_types_and_services_are_others() -> None:
    ids = {
        event_in(reading).id
        for reading in (
            read(logs_body(failing())),
            read(logs_body(failing(trace="1" * 32))),
            read(logs_body(failing("OtherError"))),
            read(logs_body(failing(), **{"service.name": "billing"})),
        )
    }
    assert len(ids) == 4


def test_equal_records_of_one_request_are_as_many_events_and_the_same_when_sent_again() -> None:
    body = logs_body(log(), log(), log(), failing(trace=""), failing(trace=""))
    ids = [event.id for event in events_in(read(body))]

    assert len(set(ids)) == 5
    assert [event.id for event in events_in(read(body))] == ids


def test_an_id_has_the_day_of_the_record_and_of_two_days_the_earlier() -> None:
    midnight = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp()) * 10**9
    before, after = span("a", thrown(at=midnight - 1_000)), span("b", thrown(at=midnight), parent="1" * 16)

    assert [event_in(reading).id[:15] for reading in (spans(before, after), spans(after, before))] == [
        "error_20261129_",
        "error_20261129_",
    ]
    (event,) = spans(after, before).reading.events
    assert msgspec.json.decode(event.body)["id"] == event.id


def test_an_exception_that_escaped_was_not_handled() -> None:
    assert event_in(spans(span("a", thrown(escaped=True)))).handled is False
    assert event_in(spans(span("a", thrown(escaped="False")))).handled is True


def test_both_forms_of_a_body_are_the_same_events() -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(
        [text("service.name", "shop"), text("telemetry.sdk.language", "python"), text("host.name", "web-1")]
    )
    scope = resource.scope_logs.add()
    scope.scope.name = "shop.orders"
    record = scope.log_records.add(time_unix_nano=NOON, severity_number=17, trace_id=bytes.fromhex(TRACE))
    record.body.kvlist_value.values.append(text("a", "b"))
    numbers = ArrayValue(
        values=[AnyValue(int_value=-3), AnyValue(double_value=0.5), AnyValue(bool_value=True)]
    )
    nested = KeyValueList(values=[KeyValue(key="numbers", value=AnyValue(array_value=numbers))])
    record.attributes.append(KeyValue(key="nested", value=AnyValue(kvlist_value=nested)))
    record.attributes.append(KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff\x00")))
    record.attributes.append(text("zero", "a\0b"))

    in_json = log({"a": "b"}, nested={"numbers": [-3, 0.5, True]})
    in_json["traceId"] = TRACE.upper()
    in_json["attributes"] += [
        {"key": "raw", "value": {"bytesValue": "_wA"}},
        *attributes_of({"zero": "a\0b"}),
    ]

    of_protobuf = read_logs(request.SerializeToString(), BodyKind.PROTOBUF, CONTEXT)
    of_json = read(logs_body(in_json, **{"host.name": "web-1"}))

    assert event_in(of_protobuf) == event_in(of_json)
    assert event_in(of_json).context["nested"] == {"numbers": [-3, 0.5, True]}
    assert event_in(of_json).context["raw"] == "/wA="


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def test_json_is_read_with_the_spelling_of_protobuf_too() -> None:
    record = {
        "time_unix_nano": NOON,
        "severity_number": "SEVERITY_NUMBER_ERROR",
        "trace_id": TRACE,
        "body": {"string_value": "no"},
        "attributes": [{"key": "n", "value": {"int_value": "17"}}],
        "unheard_of": [{}],
    }
    body = {"resource_logs": [{"scope_logs": [{"log_records": [record]}]}]}

    event = event_in(read(json.dumps(body).encode()))
    assert (event.message, event.trace_id, event.context, event.service) == ("no", TRACE, {"n": 17}, "token")


def test_texts_that_are_no_unicode_are_mended() -> None:
    body = logs_body(log("NO")).replace(b'"NO"', b'"a\\ud800b"')

    assert event_in(read(body)).message == "a\N{REPLACEMENT CHARACTER}b"


def test_a_record_that_cannot_be_read_is_rejected_and_its_neighbours_are_taken() -> None:
    reading = read(logs_body(log("a"), 17, log("b"), "x"))

    assert [event.message for event in events_in(reading)] == ["a", "b"]
    assert (reading.rejected, reading.reading.broken) == (2, 2)

    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.log_records.add(severity_number=17).body.string_value = "a"
    body = request.SerializeToString().replace(b"\n\x01a", b"\n\x01\xff")  # not UTF-8
    broken = read_logs(body, BodyKind.PROTOBUF, CONTEXT)

    assert (broken.rejected, broken.reading.events) == (1, [])
    answer = ExportLogsServiceResponse.FromString(broken.answer).partial_success
    assert (answer.rejected_log_records, answer.error_message) == (1, "1 not readable")


def test_records_beyond_the_most_are_rejected() -> None:
    reading = read(logs_body(*[log("no", 9)] * RECORDS, log("last")))

    assert (reading.rejected, reading.reading.events) == (1, [])


def test_metrics_are_counted_and_nothing_more() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="a")
    scope.metrics.add(name="b")
    body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a"},{"name":"b"}]}]}]}'

    in_protobuf = count_metrics(request.SerializeToString(), BodyKind.PROTOBUF)
    in_json = count_metrics(body, BodyKind.JSON)

    assert in_protobuf.reading.dropped == in_json.reading.dropped == {"otlp_metric": 2}
    assert (in_protobuf.answer, in_json.answer) == (b"", b"{}")


def test_a_body_without_anything_is_taken() -> None:
    assert read_logs(b"", BodyKind.PROTOBUF, CONTEXT).answer == b""
    assert read_traces(b"{}", BodyKind.JSON, CONTEXT).answer == b"{}"


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/x-protobuf", BodyKind.PROTOBUF),
        ("Application/JSON; charset=utf-8", BodyKind.JSON),
        ("application/protobuf", BodyKind.PROTOBUF),
        ("text/plain", None),
        ("", None),
    ],
)
def test_a_form_is_told_by_the_content_type(content_type: str, kind: BodyKind | None) -> None:
    assert body_kind(content_type) is kind


def test_answers_are_in_the_form_of_the_request() -> None:
    assert (success_body(BodyKind.PROTOBUF), success_body(BodyKind.JSON)) == (b"", b"{}")
    body = partial_body(BodyKind.PROTOBUF, RejectedField.LOG_RECORDS, 300, "ä" * 200)
    partial = ExportLogsServiceResponse.FromString(body).partial_success
    assert (partial.rejected_log_records, partial.error_message) == (300, "ä" * 200)
    assert status_body(BodyKind.PROTOBUF, StatusCode.UNAVAILABLE, "no") == b"\x08\x0e\x12\x02no"
    assert json.loads(status_body(BodyKind.JSON, StatusCode.INVALID_ARGUMENT, "no")) == {
        "code": 3,
        "message": "no",
    }


def field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def nested(times: int) -> bytes:
    content = b""
    for _ in range(times):
        content = field(5, field(1, content))
    return content


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of 2^64
        b"\x0a\x05abc",  # cut off
        b"\xff" * 100,
        b"\x0b\x0c",  # a group, which protobuf has given up
        b"\x02\x00",  # field 0
        field(1, field(1, b"\xff")),
        b"<html>",
    ],
)
def test_a_body_that_is_no_protobuf_is_refused(body: bytes) -> None:
    for call in (read_logs, read_traces):
        with pytest.raises(UnreadableOtlpError):
            call(body, BodyKind.PROTOBUF, CONTEXT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"nonsense",
        b'{"resourceLogs":[' + b'{"":1},' * 600_000 + b"{}]}",
        b'{"resourceLogs":' + b"[" * 600_000,
    ],
)
def test_a_body_that_is_no_json_object_or_holds_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableOtlpError):
        read(body)


@pytest.mark.parametrize("body", [b"\x18\x01" * 11, field(1, b"\x12\x00" * 11)])
def test_a_body_of_more_parts_than_are_looked_at_is_refused(body: bytes) -> None:
    wire = Wire(body, steps=10)

    with pytest.raises(UnreadableOtlpError, match="too many parts"):
        [list(wire.parts(part)) for _, part in wire.parts(wire.whole)]


def test_commas_in_texts_are_no_values() -> None:
    assert len(events_in(read(logs_body(log('\\",' * 600_000), log("b"))))) == 2


def test_what_is_nested_too_deeply_loses_itself_alone() -> None:
    error = b"\x10\x11"
    records = [field(2, error + field(5, nested(times))) for times in (5, 45, 5_000)]
    reading = read_logs(field(1, field(2, b"".join(records))), BodyKind.PROTOBUF, CONTEXT)

    assert (len(events_in(reading)), reading.rejected) == (2, 1)


def test_many_and_large_attributes_are_cut_and_noted() -> None:
    values = {f"key{number}": "v" * 5_000 for number in range(1_000)}
    event = event_in(read(logs_body(log() | {"attributes": attributes_of(values)}, **values)))

    assert len(event.context) <= 50
    assert "context" in event.truncated


def test_what_a_resource_says_a_thousand_times_does_not_make_a_request_of_gigabytes() -> None:
    values = {f"k{number}": "v" * 190 for number in range(1_000)}
    reading = read(logs_body(*[log(str(number)) for number in range(100)], **values))

    assert len(reading.reading.events) == 100
    assert max(len(event.body) for event in reading.reading.events) < 10_000


@given(st.binary(max_size=300), st.sampled_from(BodyKind))
def test_any_bytes_are_read_or_refused(body: bytes, kind: BodyKind) -> None:
    read_or_refused(body, kind)


def read_or_refused(body: bytes, kind: BodyKind) -> None:
    for call in (read_logs, read_traces):
        try:
            reading = call(body, kind, CONTEXT)
        except UnreadableOtlpError:
            continue
        for event in reading.reading.events:
            assert len(event.body) <= EVENT_BYTES
            decode_narrow(event.body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(str(2**70)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    *("timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "attributes"),
    *("traceId", "spanId", "eventName", "name", "events", "status", "endTimeUnixNano", "parentSpanId"),
)


@given(st.dictionaries(st.sampled_from(NAMES), json_values), json_values)
def test_fields_of_any_kind_are_read(fields: dict[str, Any], value: Any) -> None:
    attributes = [{"key": "exception.type", "value": {"stringValue": "E"}}, {"key": value, "value": value}]
    record = {"severityNumber": 17, "attributes": attributes} | fields
    event = {"name": "exception", "attributes": attributes} | fields
    for body in (
        logs_body(record),
        traces_body({"events": [event | {"name": "exception"}], "traceId": TRACE} | fields),
        json.dumps({"resourceLogs": value}).encode(),
    ):
        read_or_refused(body, BodyKind.JSON)


@given(st.data())
def test_a_damaged_request_is_read_or_refused(data: st.DataObject) -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(text("service.name", "shop"))
    made = resource.scope_spans.add().spans.add(name="pay", trace_id=bytes.fromhex(TRACE))
    event = made.events.add(name="exception", time_unix_nano=NOON)
    event.attributes.extend([text("exception.type", "E"), text("exception.stacktrace", STACK)])
    body = bytearray(request.SerializeToString())
    places = st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255))
    for place, one in data.draw(st.lists(places, min_size=1, max_size=4)):
        body[place] = one
    read_or_refused(bytes(body), BodyKind.PROTOBUF)
    read_or_refused(bytes(body[: data.draw(st.integers(0, len(body)))]), BodyKind.PROTOBUF)


def test_a_time_of_any_number_is_a_day_of_the_calendar() -> None:
    for at in (0, 1, 2**63, 2**64 - 1, 2**64, -5, 10**30):
        event = event_in(read(logs_body(log(at=at))))
        assert NOW - timedelta(days=60 * 366) < event.occurred_at < NOW + timedelta(days=600 * 366)
