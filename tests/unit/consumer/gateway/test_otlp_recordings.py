"""OpenTelemetry's real exporters: what they sent, against what an ideal receiver makes of it."""

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from tests.tools.traffic import RecordedRequest, Recording, recordings

from faultwire_consumer.gateway.otlp.kind import body_kind
from faultwire_consumer.gateway.otlp.request import read_logs, read_traces
from faultwire_consumer.gateway.otlp.result import OtlpContext, OtlpReading
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_shared.event import Event

CONTEXT = OtlpContext(received_at=datetime(2026, 11, 30, tzinfo=UTC), service="token", patterns=("*",))
ARRIVED = re.compile(r"(\d+) events arrived")


def otlp_recordings() -> list[Recording]:
    return [one for one in recordings() if "otel" in one.sdk or "otlp" in one.name]


def read_request(request: RecordedRequest) -> OtlpReading:
    kind = body_kind(request.header("content-type") or "")
    assert kind is not None
    read = read_logs if "/v1/logs" in request.path else read_traces
    return read(inflated(request), kind, CONTEXT)


def inflated(request: RecordedRequest) -> bytes:
    match request.header("content-encoding"):
        case "gzip":
            return zlib.decompress(request.content, wbits=31)
        case "deflate":
            return zlib.decompress(request.content)
    return request.content


def readings(recording: Recording) -> Iterator[OtlpReading]:
    for request in recording.requests:
        if request.method == "POST" and "/v1/" in request.path:
            yield read_request(request)


def events_of(recording: Recording) -> list[ReadEvent]:
    return [event for reading in readings(recording) for event in reading.reading.events]


def told(event: ReadEvent) -> tuple[str, frozenset[str]]:
    """Spell an event as the recordings' ideal lines do: its title, and what is known besides."""
    decode_narrow(event.body)
    read = msgspec.json.decode(event.body, type=Event)
    title = f"message {read.message!r}"
    if read.exceptions:
        first = read.exceptions[0]
        title = f"{first.type}: {first.value}" + (f" | {title}" if read.message else "")
    known = {
        "release": read.release,
        "environment": read.environment if read.release else None,
        "host": read.host,
        "transaction": read.transaction,
        "logger": read.tags.get("logger"),
        "service": read.service,
    }
    parts = {f"{name} {value}" for name, value in known.items() if value is not None}
    trace = {f"trace {read.trace_id[:8]}…"} if read.trace_id else set()
    return title, frozenset({read.severity.value, *parts, *trace})


def ideal(line: str) -> tuple[str, frozenset[str]]:
    """Read an ideal line; who does not name a service has the token's, and a type's module is told apart."""
    title, _, rest = line.removesuffix("]").rpartition(" [")
    parts = {re.sub(r"^service unknown_service.*", "service token", part) for part in rest.split("; ")}
    return re.sub(r"^\w+\.(?=\w+: )", "", title), frozenset(parts)


def failure_of(told_event: tuple[str, frozenset[str]]) -> tuple[str, frozenset[str]]:
    """Return what all spans that tell of one failure say."""
    title, parts = told_event
    return title, frozenset(part for part in parts if not part.startswith("transaction"))


def test_every_recording_becomes_the_events_that_an_ideal_receiver_stores() -> None:
    plain = [one for one in otlp_recordings() if one.behaviour == "ok"]
    for recording in plain:
        found = [told(event) for event in events_of(recording)]
        # Sentry's SDK tells of the same error in an envelope too, which has a line of its own.
        wanted = [ideal(line) for line in recording.ideal if "[error;" not in line]
        assert set(found) <= set(wanted), recording.name
        # One failure in nested spans is one.
        assert {failure_of(one) for one in found} == {failure_of(one) for one in wanted}, recording.name
        assert len(found) == len({failure_of(one) for one in wanted}), recording.name
    assert len(plain) >= 30


def test_of_nested_spans_the_outermost_names_the_transaction() -> None:
    nested = next(one for one in recordings() if one.name == "otel-python-1.45/traces-proto-none")

    told_events = [told(event) for event in events_of(nested)]

    assert [
        any("transaction GET /orders/{id}/pay" in part for part in parts) for _, parts in told_events
    ] == [
        True,
        False,
    ]


def test_a_batch_that_is_sent_again_is_the_same_events() -> None:
    for recording in otlp_recordings():
        times = [[event.id for event in events_of(recording)] for _ in range(3)]
        assert times[0] == times[1] == times[2], recording.name


def test_what_exporters_repeat_is_counted_once() -> None:
    """Six errors each, of which some were sent up to eight times."""
    pulses = [one for one in otlp_recordings() if one.scenario == "pulse" and one.requests]
    for recording in pulses:
        ids = [event.id for event in events_of(recording)]
        arrived = ARRIVED.match(recording.ideal[0])
        assert arrived is None or len(ids) == int(arrived[1]), recording.name
        assert len(set(ids)) == 6, recording.name
    assert len(pulses) >= 20


def test_the_sdk_is_named_with_its_language() -> None:
    events = {one.name: events_of(one) for one in otlp_recordings() if one.behaviour == "ok"}

    assert events["otel-python-1.45/logs-proto-none"][0].sdk.name == "opentelemetry.python"
    assert events["otel-browser-0.223/logs"][0].sdk.name == "opentelemetry.webjs"


def test_a_stack_becomes_frames_with_the_crash_last() -> None:
    (event, *_) = events_of(
        next(one for one in recordings() if one.name == "otel-node-0.301/traces-json-none")
    )
    read = msgspec.json.decode(event.body, type=Event)

    own = [(frame.qualname, frame.line) for frame in read.exceptions[0].frames if frame.in_app]
    assert own[-2:] == [("Object.traces", 46), ("pay", 14)]


@pytest.mark.parametrize("name", ["otel-python-1.45/logs-proto-none", "otel-python-json-0.66/logs-json-none"])
def test_what_is_below_error_is_counted_and_answered_as_taken(name: str) -> None:
    (reading,) = readings(next(one for one in recordings() if one.name == name))

    assert reading.reading.dropped == {"otlp_log": 2}
    assert reading.answer in (b"", b"{}")
    assert reading.rejected == 0
