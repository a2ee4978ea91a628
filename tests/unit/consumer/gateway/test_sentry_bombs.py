"""Whatever a stranger makes of an event or an envelope, reading it takes bounded time and memory."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.tools.sentry_traffic import RECORDED_AT

from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.header_line import UnreadableEnvelopeError
from faultwire_consumer.gateway.sentry.request import EnvelopeReading
from faultwire_consumer.serving.inflate import PIECE_BYTES
from faultwire_shared.event import EVENT_BYTES

CONTEXT = ReadingContext(service="shop", received_at=RECORDED_AT)
MEBIBYTE = 1024 * 1024
SIZE = MEBIBYTE // 4  # what is linear shows it at any size
FRAME = b'{"filename":"a.py","function":"f","lineno":1,"vars":{"a":1}}'


def list_of(item: bytes) -> bytes:
    return b"[" + b",".join([item] * ((SIZE - 900) // (len(item) + 1))) + b"]"


def exception(stack: bytes) -> bytes:
    return b'{"exception":[{"type":"E","value":"v","stacktrace":{"frames":' + stack + b"}}]}"


EVENTS = {
    "depth of 10,000": b'{"message":"m","extra":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    "depth of everything": b'{"message":"m","extra":{"a":' + b"[" * 120_000 + b"]" * 120_000 + b"}}",
    "brackets": b'{"message":"m","extra":{"a":' + b"[" * 300 + list_of(b"[]") + b"]" * 300 + b"}}",
    "4,000 frames": exception(b"[" + b",".join([FRAME] * 4_000) + b"]"),
    "thousands of exceptions": b'{"exception":' + list_of(b'{"type":"E","value":"v"}') + b"}",
    "a group of a group": b'{"exception":'
     b'{"values":' + list_of(b'{"type":"E","mechanism":{"exception_id":1,"parent_id":1}}') + b"}}",
    "keys of any size": b'{"message":"m","extra":{"' + b"k" * 250_000 + b'":1},"tags":{"a":"b"}}',
    "duplicate keys": b'{"message":"m",' + b'"extra":{"a":1},' * 15_000 + b'"level":"error"}',
    "many keys": b'{"message":"m","extra":{' + b",".join(b'"%d":1' % at for at in range(22_000)) + b"}}",
    "long numbers": b'{"message":"m","extra":{"a":' + list_of(b"9" * 4_000) + b"}}",
    "surrogates": b'{"message":"' + b"\\ud800" * 42_000 + b'"}',
    "a text of one character": b'{"message":"' + b"a" * 260_000 + b'"}',
    "breadcrumbs": b'{"message":"m","breadcrumbs":' + list_of(b'{"message":"b","data":{}}') + b"}",
    "placeholders": b'{"logentry":{"message":"' + b"%s" * 10_000 + b'","params":' + list_of(b"1") + b"}}",
    "blanks": b'{"message":"m"}' + b" " * 250_000,
    "tags": b'{"message":"m","tags":' + list_of(b'["a","b"]') + b"}",
    "headers": b'{"message":"m","request":{"headers":' + list_of(b'["a","b"]') + b"}}",
    "a query": b'{"message":"m","request":{"query_string":"' + b"a=b&" * 60_000 + b'"}}',
    "a fingerprint": b'{"message":"m","fingerprint":' + list_of(b'"{{ default }}"') + b"}",
}  # fmt: skip


def pieces_of(body: bytes) -> Iterator[bytes]:
    return (body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_any_kind_is_read_in_time(name: str) -> None:
    payload = EVENTS[name]
    reading = EnvelopeReading(CONTEXT)
    began = time.process_time()
    for piece in pieces_of(b'{}\n{"type":"event"}\n' + payload):
        reading.feed(piece)
    found = reading.finish().reading
    assert time.process_time() - began < 10  # quadratic would be minutes
    assert (len(found.events), found.broken) == (1, 0)
    assert len(found.events[0].body) <= EVENT_BYTES


def test_an_envelope_of_the_largest_events_is_held_as_what_goes_on_of_them() -> None:
    body = b"{}\n" + b"".join(b'{"type":"event"}\n' + EVENTS["many keys"] + b"\n" for _ in range(8))
    tracemalloc.start()
    try:
        reading = EnvelopeReading(CONTEXT)
        for piece in pieces_of(body):
            reading.feed(piece)
        found = reading.finish().reading
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.events) == 8
    assert held < 3 * MEBIBYTE
    assert peak < 15 * MEBIBYTE


def test_a_header_of_ten_megabytes_is_refused_at_once() -> None:
    reading = EnvelopeReading(CONTEXT)
    fed = 0
    with suppress(UnreadableEnvelopeError):
        for piece in pieces_of(b'{"event_id":"' + b"a" * 10_000_000):
            reading.feed(piece)
            fed += len(piece)
    assert fed <= 2 * PIECE_BYTES
