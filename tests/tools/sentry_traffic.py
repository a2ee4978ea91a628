"""Recorded requests of Sentry's SDKs taken apart, by a reader that is not the one under test."""

import base64
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from tests.tools.traffic import RecordedRequest, Recording, recordings
from tests.tools.traffic_body import content_of

from faultwire_consumer.gateway.lenient import read_json
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader

RECORDED_AT: Final = datetime(2026, 11, 29, 2, tzinfo=UTC)
_ROUTES: Final = ("/store/", "/envelope/", "/tunnel")


class SentEvent(Struct, frozen=True, kw_only=True):
    """An event as an SDK sent it, and what its envelope said."""

    payload: bytes
    envelope: EnvelopeHeader = EnvelopeHeader()

    @property
    def told(self) -> dict[str, Any]:
        """What the SDK said, as it said it."""
        document = read_json(self.payload)
        assert isinstance(document, dict)
        return document


def sentry_recordings() -> list[Recording]:
    """Recordings of Sentry's SDKs and of the ravens before them."""
    return [each for each in recordings() if not each.sdk.startswith("otel")]


def events_of(recording: Recording) -> list[SentEvent]:
    """Every event of a recording, as often as it was sent."""
    posts = (request for request in recording.requests if request.method == "POST")
    return [event for request in posts for event in _events_in(request)]


def _events_in(request: RecordedRequest) -> Iterator[SentEvent]:
    body = content_of(request)
    if "/store/" in request.path:
        yield SentEvent(payload=body if body.startswith(b"{") else _packed(body))
    elif any(route in f"{request.path}/" for route in _ROUTES):
        yield from _items(body)


def _packed(body: bytes) -> bytes:
    """Of the first SDKs: base64 of the JSON, compressed or not."""
    packed = base64.b64decode(body)
    return packed if packed.startswith(b"{") else zlib.decompress(packed)


def _items(body: bytes) -> Iterator[SentEvent]:
    line, _, rest = body.partition(b"\n")
    envelope = msgspec.json.decode(line, type=EnvelopeHeader)
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = msgspec.json.decode(line)
        length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        if header["type"] == "event":
            yield SentEvent(payload=payload, envelope=envelope)
