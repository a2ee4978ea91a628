"""Whatever is sent as an event of Sentry's is stored: nothing that is read is refused later."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from functools import lru_cache
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from tests.tools.sentry_traffic import RECORDED_AT, events_of, sentry_recordings

from faultwire_consumer.gateway.lenient import read_json
from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import UnreadableEventError, read_event
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared.codec import decode
from faultwire_shared.event import EVENT_BYTES

TEXTS: Final = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "%s {0} %(a)s %",
        "{{auto}}",
        "2026-11-29T01:01:16Z",
        "TypeError: boom",
        "latest",
        "http://h/a.js?x#y",
    ]
)
SCALARS: Final = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS
NAMES: Final = st.sampled_from(
    [
        *(
            "values",
            "type",
            "value",
            "module",
            "stacktrace",
            "frames",
            "mechanism",
            "exception_id",
            "parent_id",
        ),
        *("source", "handled", "synthetic", "meta", "errno", "number", "filename", "abs_path", "function"),
        *("lineno", "in_app", "context_line", "message", "formatted", "params", "headers", "query_string"),
        *("cookies", "data", "env", "id", "ip_address", "trace", "trace_id", "span_id", "settings", "name"),
        *("timestamp", "crashed", "current", "environ", "node_system_error", "a"),
    ]
)
RUBBISH: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXTS, inner, max_size=4),
    max_leaves=12,
)
FIELDS: Final = (
    *("event_id", "timestamp", "level", "message", "logentry", "exception", "stacktrace", "threads", "user"),
    *(
        "tags",
        "request",
        "transaction",
        "culprit",
        "breadcrumbs",
        "contexts",
        "extra",
        "logger",
        "fingerprint",
    ),
    *("sdk", "release", "environment", "server_name", "dist", "platform", "sentry.interfaces.Exception"),
    *("sentry.interfaces.Http", "sentry.interfaces.User", "sentry.interfaces.Message", "modules"),
)
HEADERS: Final = st.builds(
    EnvelopeHeader,
    event_id=st.none() | st.text(max_size=40),
    sent_at=st.none() | st.datetimes(timezones=st.just(UTC)) | st.datetimes(),
    trace=st.dictionaries(st.just("trace_id"), RUBBISH, max_size=1),
)
SCRUBBER: Final = BodyScrubber()
GROUPER: Final = Grouper()


def stands(payload: bytes, envelope: EnvelopeHeader) -> None:
    """Read an event as the door does, and then as the worker does; each of its refusals raises."""
    context = ReadingContext(service="shop", received_at=RECORDED_AT, address="203.0.113.9")
    found = read_event(payload, context, envelope)
    assert len(found.body) <= EVENT_BYTES
    assert b"\\u0000" not in found.body.replace(b"\\\\", b"")
    narrow = decode_narrow(SCRUBBER.scrub_event(found.body))
    GROUPER.group(narrow)
    event = decode(found.body)
    assert (event.id, event.severity, event.service) == (found.id, found.severity, "shop")
    assert read_event(payload, context, envelope) == found


@given(told=st.dictionaries(st.sampled_from(FIELDS), RUBBISH, max_size=8), envelope=HEADERS)
def test_rubbish_in_an_event_s_fields_is_never_refused(
    told: dict[str, Any], envelope: EnvelopeHeader
) -> None:
    stands(json.dumps(told).encode(), envelope)


@lru_cache(maxsize=1)
def recorded() -> list[bytes]:
    """One event of each recording, and none that takes long."""
    payloads = [sent.payload for each in sentry_recordings() for sent in events_of(each)[:1]]
    return [payload for payload in payloads if len(payload) < 50_000]


@given(data=st.data())
def test_a_recorded_event_with_rubbish_somewhere_in_it_is_never_refused(data: st.DataObject) -> None:
    document = read_json(data.draw(st.sampled_from(recorded())))
    for _ in range(data.draw(st.integers(1, 3))):
        _spoil(document, data.draw)
    stands(json.dumps(document).encode(), EnvelopeHeader())


def _spoil(document: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """Walk down to anywhere, and put something else there."""
    held = document
    while True:
        places = list(held) if isinstance(held, dict) else list(range(len(held)))
        place = draw(st.sampled_from(places))
        if not isinstance(held[place], dict | list) or not held[place] or draw(st.integers(0, 3)) == 0:
            held[place] = draw(RUBBISH)
            return
        held = held[place]


@given(data=st.data())
def test_bytes_of_a_recorded_event_that_were_changed_are_read_or_refused_by_name(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from(recorded())))
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableEventError):
        stands(bytes(payload), EnvelopeHeader())
