"""Of a whole request every event is read, the rest counted, and one that is broken takes none along."""

import base64
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.sentry_traffic import RECORDED_AT, sentry_recordings
from tests.tools.traffic import KEY, RecordedRequest, Recording, recording
from tests.tools.traffic_body import content_of

from faultwire_consumer.gateway.reading import ClientLoss, ReadEvent, ReadingContext
from faultwire_consumer.gateway.sentry.auth import find_auth_of_dsn
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import UnreadableEventError
from faultwire_consumer.gateway.sentry.header_line import UnreadableEnvelopeError
from faultwire_consumer.gateway.sentry.request import EnvelopeReading, ReadRequest, is_envelope, read_store
from faultwire_consumer.gateway.sentry.store_body import StoreTooLargeError, UnreadableStoreError
from faultwire_shared.event import Sdk

CONTEXT = ReadingContext(service="shop", received_at=RECORDED_AT, sdk=Sdk(name="by.header"))
ID = "b" * 32


def pieces_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def read_envelope(body: bytes, size: int = 1_024, context: ReadingContext | None = CONTEXT) -> ReadRequest:
    reading = EnvelopeReading(context)
    for piece in pieces_of(body, size):
        reading.feed(piece)
    return reading.finish()


def envelope(*items: tuple[str, bytes], **header: Any) -> bytes:
    lines = [msgspec.json.encode(header)]
    for kind, payload in items:
        lines += [msgspec.json.encode({"type": kind, "length": len(payload)}), payload]
    return b"\n".join(lines)


def event(**fields: Any) -> bytes:
    return msgspec.json.encode({"message": "m", "timestamp": 1764500000.5} | fields)


def report(quantity: int) -> bytes:
    losses = [{"reason": "queue_overflow", "category": "error", "quantity": quantity}]
    return msgspec.json.encode({"discarded_events": losses})


def test_events_reports_and_the_rest_are_told_apart() -> None:
    body = envelope(
        ("session", b"{}"),
        ("client_report", report(2)),
        ("event", event(event_id=ID)),
        ("attachment", b"\x00\n"),
        ("client_report", report(3)),
        event_id=KEY,
        sdk={"name": "sentry.python", "version": "2"},
    )
    for size in (1, 30, len(body)):
        read = read_envelope(body, size)
        assert [each.id for each in read.reading.events] == [f"error_20251130_{KEY}"]
        assert read.reading.losses == [ClientLoss(reason="queue_overflow", category="error", count=5)]
        assert read.reading.dropped == {"session": 1, "attachment": 1}
        assert (read.reading.broken, read.ids) == (0, (KEY,))
        assert read.reading.sdk == Sdk(name="sentry.python", version="2")
        assert read.header.event_id == KEY


def test_the_first_event_has_the_header_s_id_and_the_others_their_own() -> None:
    items = [("event", event(event_id=each * 32)) for each in "cde"]
    assert read_envelope(envelope(*items, event_id=KEY)).ids == (KEY, "d" * 32, "e" * 32)
    assert read_envelope(envelope(*items)).ids == ("c" * 32, "d" * 32, "e" * 32)


def test_what_is_broken_loses_itself_alone() -> None:
    body = envelope(
        ("event", b"rubbish"), ("event", event(event_id=ID)), ("event", b"[]"), ("client_report", b"rubbish")
    )
    read = read_envelope(body)
    assert (read.ids, read.reading.broken) == ((ID,), 3)


def test_a_transaction_that_is_sent_as_an_event_is_counted() -> None:
    read = read_envelope(envelope(("event", event(type="transaction"))))
    assert (read.ids, read.reading.dropped, read.reading.broken) == ((), {"transaction": 1}, 0)


def test_an_envelope_without_events_has_none() -> None:
    read = read_envelope(envelope(("session", b"{}"), event_id=ID))
    assert (read.ids, read.reading.events, read.header.event_id) == ((), [], ID)
    assert read.reading.sdk == CONTEXT.sdk


@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_where_the_request_has_no_key_the_reading_waits_for_the_one_of_the_header(size: int) -> None:
    body = envelope(("event", event(event_id=ID)), dsn=f"https://{KEY}@host/7")
    reading = EnvelopeReading()
    is_known = False
    for piece in pieces_of(body, size):
        reading.feed(piece)
        if reading.header and not is_known:
            auth = find_auth_of_dsn(reading.header.dsn)
            assert auth
            assert (auth.key, auth.project) == (KEY, 7)
            reading.begin(CONTEXT)
            is_known = True
    assert reading.finish().ids == (ID,)


def test_a_header_alone_needs_no_context_and_more_than_that_does() -> None:
    assert read_envelope(b'{"dsn":"x"}', context=None).header == EnvelopeHeader(dsn="x")
    with pytest.raises(RuntimeError):
        read_envelope(b"{}\n" + event(), context=None)


@pytest.mark.parametrize(
    "pack", [bytes, base64.b64encode, lambda payload: base64.b64encode(zlib.compress(payload))]
)
def test_a_store_s_body_is_one_event(pack: Any) -> None:
    read = read_store(pack(event(event_id=ID)), CONTEXT)
    assert (read.ids, read.header) == ((ID,), EnvelopeHeader())
    assert read.reading.events[0].id == f"error_20251130_{ID}"


def test_a_transaction_that_is_sent_to_be_stored_is_counted() -> None:
    read = read_store(event(type="transaction"), CONTEXT)
    assert (read.ids, read.reading.dropped) == ((), {"transaction": 1})
    assert [
        len(read_store(event(type=kind), CONTEXT).ids) for kind in ("event", "error", "default", None)
    ] == [1] * 4


def test_a_store_s_body_without_an_event_is_refused_by_name() -> None:
    for body in (b"rubbish", b"{", b"{} x"):
        with pytest.raises(UnreadableStoreError):
            read_store(body, CONTEXT)
    with pytest.raises(StoreTooLargeError):
        read_store(event(message="m" * 2_000_000), CONTEXT)


def test_a_store_s_body_may_say_that_it_is_an_envelope() -> None:
    assert is_envelope("Application/X-Sentry-Envelope; charset=utf-8")
    assert not is_envelope("application/json")
    assert not is_envelope("")


def read_recorded(request: RecordedRequest) -> ReadRequest | None:
    path = request.path.rstrip("/")
    if request.method != "POST" or not path.endswith(("/store", "/envelope", "/tunnel")):
        return None
    body = content_of(request)
    if path.endswith("/store"):
        return read_store(body, CONTEXT)
    return read_envelope(body)


def are_all_there(told: Recording, ids: list[str]) -> bool:
    """Whether so many events came as the lines beside a recording tell, one a line or only their number."""
    if told.ideal and (found := re.match(r"(\d+) events arrived", told.ideal[0])):
        return len(ids) == int(found[1])
    events = [line for line in told.ideal if line.endswith("]") and "; service " not in line]
    return len(set(ids)) == len(events)


def test_every_recording_is_read_whole() -> None:
    kinds: set[str] = set()
    for each in sentry_recordings():
        read = [found for request in each.requests if (found := read_recorded(request))]
        assert are_all_there(each, [one for found in read for one in found.ids]), each.name
        assert sum(found.reading.broken for found in read) == 0
        kinds.update(*(found.reading.dropped for found in read))
    assert kinds >= {
        "session",
        "sessions",
        "transaction",
        "span",
        "attachment",
        "log",
        "feedback",
        "check_in",
    }
    assert "other" not in kinds


HOSTILE = [
    content_of(request)
    for name in ("sentry-node-11/hostile", "sentry-python-2.75/signals", "sentry-browser-11/csp")
    for request in recording(name).requests
    if request.path.endswith("/envelope/")
]


@settings(max_examples=60)
@given(
    body=st.sampled_from(HOSTILE),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)), max_size=5),
    size=st.integers(1, 5_000),
)
def test_a_mutated_recording_raises_nothing_but_the_named_error(
    body: bytes, changes: list[tuple[float, int, bytes]], size: int
) -> None:
    for place, width, change in changes:
        at = int(place * len(body))
        body = body[:at] + change + body[at + width :]
    try:
        read = read_envelope(body, max(size, len(body) // 200))
    except UnreadableEnvelopeError:
        return
    assert all(each.body for each in read.reading.events)


def test_of_a_flood_of_events_no_more_is_held_than_what_goes_on() -> None:
    payload = event(extra={"large": "x" * 900_000})
    body = envelope(*[("event", payload)] * 20)
    tracemalloc.start()
    try:
        read = read_envelope(body, 65_536)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(read.ids) == 20
    assert held < 1_000_000
    assert peak < 8_000_000


def test_the_reader_of_events_is_the_caller_s_choice() -> None:
    def refuse(payload: bytes, context: ReadingContext, header: EnvelopeHeader) -> ReadEvent:
        raise UnreadableEventError(f"{payload!r} of {context.service} under {header.event_id}")

    with pytest.raises(UnreadableStoreError, match="of shop under None"):
        read_store(b"{}", CONTEXT, read=refuse)
