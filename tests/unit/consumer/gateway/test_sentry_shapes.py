"""An event's fields may have any shape: what has a meaning is taken, all else is left out and named."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest

from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import UnreadableEventError, read_event
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_shared.codec import decode
from faultwire_shared.event import Event

ARRIVED: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
CONTEXT: Final = ReadingContext(service="shop", received_at=ARRIVED)
AT: Final = "2026-11-29T01:01:16.600000Z"
DIGITS: Final = "6abf5431b9f64f488b6758531b90e5f0"
LONG: Final = "x" * 251


def event_of(**given: Any) -> Event:
    body = read_event(msgspec.json.encode(given), CONTEXT, EnvelopeHeader()).body
    decode_narrow(body)
    return decode(body)


def said(event: Event, name: str) -> Any:
    """A field of an event; of exceptions their types and texts, of frames those of the raised one."""
    if name == "exceptions":
        return [(each.type, each.value) for each in event.exceptions]
    if name == "frame":
        return event.exceptions[0].frames[-1]
    if name == "crash":
        frame = event.exceptions[0].frames[-1]
        return frame.file, frame.line, frame.in_app
    if name == "not_read":
        return event.context.get("not_read", [])
    if name in ("day", "digits"):
        return event.id.split("_")[1 if name == "day" else 2]
    value = getattr(event, name)
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def framed(**frame: Any) -> dict[str, Any]:
    return {"exception": {"type": "E", "value": "v", "stacktrace": {"frames": [frame]}}}


BOOM: Final = [("", "boom")]
PAIR: Final = [("B", "raised"), ("A", "cause")]
A: Final = {"type": "A", "value": "cause"}
B: Final = {"type": "B", "value": "raised"}

ODD: Final[tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = (
    # what it says
    ({"message": 42}, {"message": "42"}),
    ({"message": None}, {"message": "(no text)"}),
    ({"message": "  "}, {"message": "(no text)"}),
    ({"message": True}, {"message": "true"}),
    ({"message": ["a", 1]}, {"message": '["a",1]'}),
    (
        {"message": {"message": "a %s", "params": ["b"]}},
        {"message": "a b", "template": "a %s"},
    ),
    ({"message": {"formatted": "a b", "message": "a %s"}}, {"message": "a b", "template": "a %s"}),
    ({"logentry": "text"}, {"message": "text", "template": None}),
    ({"logentry": {"formatted": "same", "message": "same"}}, {"message": "same", "template": None}),
    ({"logentry": {"message": "wins"}, "message": "loses"}, {"message": "wins"}),
    ({"logentry": {}, "message": "text"}, {"message": "text"}),
    ({"sentry.interfaces.Message": {"message": "old %s", "params": [1]}}, {"message": "old 1"}),
    ({"logentry": {"message": "a %s", "params": ["b", "c"]}}, {"message": "a b"}),
    ({"logentry": {"message": "a %s %s", "params": ["b"]}}, {"message": "a b %s"}),
    ({"logentry": {"message": "a %d", "params": ["no number"]}}, {"message": "a no number"}),
    ({"logentry": {"message": "a {name}", "params": {"name": 1}}}, {"message": "a 1"}),
    ({"logentry": {"message": "a %(name)s", "params": {"name": None}}}, {"message": "a null"}),
    (
        {"logentry": {"message": "cache is cold", "params": []}},
        {"message": "cache is cold", "template": None},
    ),
    ({"logentry": {"message": "a %s", "params": "b"}}, {"message": "a b"}),
    ({"logentry": {"message": "a {0} {1}", "params": ["b", 2]}}, {"message": "a b 2"}),
    ({"logentry": {"message": "a {} {}", "params": ["b", {"c": 1}]}}, {"message": 'a b {"c":1}'}),
    ({"logentry": {"message": "100%% of %.1f", "params": [2]}}, {"message": "100% of 2.0"}),
    # its exceptions
    ({"exception": B}, {"exceptions": [("B", "raised")], "message": "raised"}),
    ({"exception": [A, B]}, {"exceptions": PAIR}),
    ({"exception": {"values": [A, B]}}, {"exceptions": PAIR}),
    ({"exception": {"values": B}}, {"exceptions": [("B", "raised")]}),
    ({"sentry.interfaces.Exception": [A, B]}, {"exceptions": PAIR}),
    ({"exception": {"values": [None, A, None, B]}}, {"exceptions": PAIR, "not_read": []}),
    ({"exception": {"values": [A, "text", B]}}, {"exceptions": PAIR, "not_read": ["exception"]}),
    ({"exception": {"values": []}}, {"exceptions": [], "message": "(no text)"}),
    ({"exception": {}}, {"exceptions": [], "message": "(no text)"}),
    ({"exception": {"type": "E", "value": {"a": 1}}}, {"exceptions": [("E", '{"a":1}')]}),
    ({"exception": {"type": "E", "value": 42}}, {"exceptions": [("E", "42")]}),
    ({"exception": {"type": "E", "value": None}}, {"exceptions": [("E", "")], "message": ""}),
    ({"exception": {"type": 42, "value": "v"}}, {"exceptions": [("42", "v")]}),
    ({"exception": {"value": "boom"}}, {"exceptions": BOOM, "message": "boom"}),
    ({"exception": {"type": None, "value": "boom"}}, {"exceptions": BOOM}),
    ({"exception": {"value": "TypeError: boom"}}, {"exceptions": [("TypeError", "boom")]}),
    (
        {"exception": {"value": "note: boom"}, "message": "note: boom"},
        {"exceptions": [("", "note: boom")]},
    ),
    (
        {"exception": {"type": "E", "module": None, "mechanism": "x"}},
        {"exceptions": [("E", "")], "handled": True},
    ),
    ({"exception": {"type": "E", "mechanism": {"handled": "no"}}}, {"handled": True}),
    ({"exception": {"type": "E", "stacktrace": []}}, {"exceptions": [("E", "")]}),
    ({"exception": {"type": "E", "stacktrace": {"frames": {}}}}, {"not_read": ["exceptions.frames"]}),
    ({"exception": "boom"}, {"exceptions": [], "not_read": ["exception"]}),
    # its fields of another type
    ({"breadcrumbs": ["text"]}, {"breadcrumbs": [], "not_read": ["breadcrumbs"]}),
    ({"breadcrumbs": "x"}, {"breadcrumbs": [], "not_read": ["breadcrumbs"]}),
    ({"breadcrumbs": {"values": [None, {"message": "m"}]}}, {"breadcrumbs": [{"message": "m"}]}),
    (
        {"breadcrumbs": [{"message": "m", "timestamp": 1795914076.6, "data": None}]},
        {"breadcrumbs": [{"timestamp": AT, "message": "m"}]},
    ),
    ({"breadcrumbs": [{"message": "m", "timestamp": "soon"}]}, {"breadcrumbs": [{"message": "m"}]}),
    ({"user": "x"}, {"user": {}, "not_read": ["user"]}),
    ({"user": {"id": 42, "email": None}}, {"user": {"id": "42"}}),
    ({"sentry.interfaces.User": {"id": "42"}}, {"user": {"id": "42"}}),
    ({"user": {"ip_address": "{{auto}}", "id": 1}}, {"user": {"id": "1"}}),
    ({"tags": "x"}, {"tags": {}, "not_read": ["tags"]}),
    ({"extra": []}, {"context": {"not_read": ["extra"]}}),
    ({"contexts": "x"}, {"context": {"not_read": ["contexts"]}}),
    ({"request": "x"}, {"request": {}, "not_read": ["request"]}),
    ({"fingerprint": "x"}, {"fingerprint": ["x"]}),
    ({"fingerprint": {"a": 1}}, {"fingerprint": [], "not_read": ["fingerprint"]}),
    ({"fingerprint": [1, None, "{{default}}", 2.5, ""]}, {"fingerprint": ["1", "{{ default }}", "2.5"]}),
    ({"fingerprint": []}, {"fingerprint": []}),
    # its level
    ({"level": 40}, {"severity": "high", "severity_text": "40"}),
    ({"level": 20}, {"severity": "low", "severity_text": "20"}),
    ({"level": 50}, {"severity": "critical"}),
    ({"level": 17}, {"severity": "high", "severity_text": None, "not_read": ["level"]}),
    ({"level": "critical"}, {"severity": "critical", "severity_text": "critical"}),
    ({"level": "fatal"}, {"severity": "critical", "severity_text": "fatal"}),
    ({"level": "log"}, {"severity": "low", "severity_text": "log"}),
    ({"level": "warning"}, {"severity": "medium"}),
    ({"level": "40"}, {"severity": "high", "severity_text": "40"}),
    ({"level": "ERROR"}, {"severity": "high"}),
    ({"level": "catastrophe"}, {"severity": "high", "severity_text": "catastrophe"}),
    ({"level": None}, {"severity": "high", "severity_text": None}),
    ({"level": {"a": 1}}, {"severity": "high", "severity_text": None}),
    ({"level": True}, {"severity": "high", "severity_text": None}),
    # its time
    ({"timestamp": "2026-11-29T01:01:16.60"}, {"occurred_at": AT}),
    ({"timestamp": "2026-11-29 02:01:16.6+01:00"}, {"occurred_at": AT}),
    ({"timestamp": "2026-11-29T01:01:16.599999999Z"}, {"occurred_at": AT}),
    ({"timestamp": 1795914076.6}, {"occurred_at": AT}),
    ({"timestamp": "2026-11-28T23:59:60Z"}, {"occurred_at": "2026-11-29T00:00:00Z", "day": "20261129"}),
    ({"timestamp": "1795914076"}, {"occurred_at": "2026-11-29T12:00:00Z"}),
    ({"timestamp": 1795914076600}, {"occurred_at": "2026-11-29T12:00:00Z"}),
    ({"timestamp": "yesterday"}, {"occurred_at": "2026-11-29T12:00:00Z", "not_read": ["timestamp"]}),
    ({"timestamp": None}, {"occurred_at": "2026-11-29T12:00:00Z"}),
    ({"timestamp": "2026-02-30T00:00:00Z"}, {"occurred_at": "2026-11-29T12:00:00Z"}),
    ({"timestamp": [1]}, {"occurred_at": "2026-11-29T12:00:00Z"}),
    # its tags
    ({"tags": [["a", 1], ["b", True], [3, "c"], ["d"], None]}, {"tags": {"a": "1", "b": "True", "3": "c"}}),
    ({"tags": {"a": None, "b": {}, "c": 1.5}}, {"tags": {"c": "1.5"}, "not_read": ["tags"]}),
    ({"tags": {"a": "v" * 300}}, {"tags": {"a": "v" * 200}, "truncated": ["tags.a"]}),
    ({"tags": {"environment": "staging"}}, {"environment": "staging", "tags": {"environment": "staging"}}),
    ({"tags": {"environment": "no"}, "environment": "staging"}, {"environment": "staging"}),
    ({"dist": 17}, {"tags": {"dist": "17"}}),
    # its origin
    ({"release": "latest"}, {"release": None, "not_read": ["release"]}),
    ({"release": "1.4\n2"}, {"release": None}),
    ({"release": LONG}, {"release": None}),
    ({"release": ""}, {"release": None, "not_read": []}),
    ({"release": 1.4}, {"release": "1.4"}),
    ({"release": ["1.4"]}, {"release": None}),
    ({"release": " shop@1.4.2+b3 "}, {"release": "shop@1.4.2+b3"}),
    ({"environment": ""}, {"environment": "production"}),
    ({"environment": "None"}, {"environment": "production"}),
    ({"environment": "a/b"}, {"environment": "production", "not_read": ["environment"]}),
    ({"environment": "x" * 65}, {"environment": "production"}),
    ({"server_name": 7}, {"host": "7"}),
    ({"server_name": {"a": 1}}, {"host": None}),
    ({"culprit": "main.main"}, {"transaction": "main.main"}),
    ({"transaction": "/pay", "culprit": "x"}, {"transaction": "/pay"}),
    ({"sdk": "x"}, {"sdk": None}),
    # its id
    ({"event_id": "6ABF5431-b9f6-4f48-8b67-58531b90e5f0"}, {"digits": DIGITS}),
    ({"event_id": DIGITS.upper()}, {"digits": DIGITS, "not_read": []}),
    ({"event_id": "not hex"}, {"not_read": ["event_id"]}),
    # its frames
    (framed(filename="a/b.py", abs_path=None, lineno=7), {"crash": ("a/b.py", 7, True)}),
    (framed(abs_path="/srv/app/main.go", lineno="7"), {"crash": ("/srv/app/main.go", 7, True)}),
    (framed(filename="a.py", lineno="seven", in_app="yes"), {"crash": ("a.py", 0, True)}),
    (framed(filename="a.py", lineno=-7, in_app=None), {"crash": ("a.py", 0, True)}),
    (framed(filename="a.py", lineno=2**70), {"crash": ("a.py", 0, True)}),
    (framed(filename="http://h/a/b.js?x#y"), {"crash": ("/a/b.js", 0, True)}),
    (framed(filename="/src/a.js?t=1") | {"platform": "javascript"}, {"crash": ("/src/a.js", 0, True)}),
    (framed(filename="?") | {"platform": "javascript"}, {"crash": ("?", 0, True)}),
    (framed(filename="/srv/a?b.py"), {"crash": ("/srv/a?b.py", 0, True)}),
    (framed(filename="http://h"), {"crash": ("http://h", 0, True)}),
    # its request
    (
        {"request": {"headers": [["A", "1"], ["A", "2"]], "query_string": [["q", 1]], "env": None}},
        {"request": {"headers": {"A": "1,2"}, "query_string": {"q": "1"}}},
    ),
    ({"request": {"headers": {"A": ["1", "2"], "B": None}}}, {"request": {"headers": {"A": "1,2"}}}),
    (
        {"request": {"query_string": "a=1", "cookies": "c=1"}},
        {"request": {"query_string": "a=1", "cookies": "c=1"}},
    ),
    ({"request": {"headers": 7, "url": "u"}}, {"request": {"url": "u"}, "not_read": ["request.headers"]}),
    ({"sentry.interfaces.Http": {"url": "u", "method": "GET"}}, {"request": {"url": "u", "method": "GET"}}),
    # its trace
    (
        {
            "contexts": {
                "trace": {"trace_id": "0AF76519-16cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
            }
        },
        {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "context": {}},
    ),
    ({"contexts": {"trace": {"trace_id": "0" * 32, "span_id": 7}}}, {"trace_id": None, "span_id": None}),
    # its context
    (
        {
            "contexts": {"order": {"id": 1}, "runtime": {"name": "x"}, "os": 7, "x": None},
            "extra": {"order": 2},
        },
        {"context": {"order": {"id": 1}, "extra.order": 2}},
    ),
    ({"extra": {"a": float("1e300")}, "logger": 7}, {"context": {"logger": "7", "a": 1e300}}),
    ({"type": "error", "platform": 7, "modules": 7, "threads": 7, "_meta": 7}, {"context": {}}),
)


@pytest.mark.parametrize(("given", "expected"), ODD, ids=[str(given)[:60] for given, _ in ODD])
def test_an_odd_shape_is_read_as_sentry_reads_it(given: dict[str, Any], expected: dict[str, Any]) -> None:
    event = event_of(**given)
    assert {name: said(event, name) for name in expected} == expected


@pytest.mark.parametrize(
    "payload", [b"", b"nothing", b"[]", b"null", b'"text"', b'{"message": "cut', b"\xff\xfe"]
)
def test_only_what_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableEventError) as refused:
        read_event(payload, CONTEXT, EnvelopeHeader())
    assert refused.value.kind == ""


def test_a_transaction_is_no_error_and_is_named_as_what_it_is() -> None:
    with pytest.raises(UnreadableEventError) as refused:
        event_of(type="transaction", message="GET /")
    assert refused.value.kind == "transaction"


def test_what_stops_a_strict_reading_is_mended() -> None:
    payload = rb'{"message": "a\ud800b\u0000", "extra": {"a": NaN, "b": 1e999, "c": 12345678901234567890123}}'
    event = decode(read_event(payload, CONTEXT, EnvelopeHeader()).body)
    assert event.message == "a\ufffdb\ufffd"
    assert event.context == {"c": "12345678901234567890123"}
