"""Reads the whole of one request of a Sentry SDK: its events, what it dropped, and what is not stored."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.gateway.reading import ClientLoss, ReadEvent, Reading, ReadingContext
from faultwire_consumer.gateway.sentry.client_report import (
    REPORT_BYTES,
    UnreadableReportError,
    merge_losses,
    read_report,
)
from faultwire_consumer.gateway.sentry.envelope import EnvelopeReader, Item
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import UnreadableEventError, read_event
from faultwire_consumer.gateway.sentry.store_body import EVENT_BYTES_MAX, UnreadableStoreError, unpack_store

ENVELOPE_TYPE: Final = "application/x-sentry-envelope"
EventReader = Callable[[bytes, ReadingContext, EnvelopeHeader], ReadEvent]
"""Reads one event's JSON; raises `UnreadableEventError`."""
_WANTED: Final = {"event": EVENT_BYTES_MAX, "client_report": REPORT_BYTES}


class ReadRequest(Struct, frozen=True, kw_only=True):
    """All that one request of an SDK held."""

    reading: Reading
    header: EnvelopeHeader
    """Of the envelope; an empty one where there was none."""
    ids: tuple[str, ...]
    """Of the events, 32 hex digits each, in their order; the answer names the first."""


def is_envelope(content_type: str) -> bool:
    """Return True if a body sent to ``/store/`` says that it is an envelope; elsewhere types say nothing."""
    return content_type.partition(";")[0].strip().lower() == ENVELOPE_TYPE


class EnvelopeReading:
    """Reads an envelope as it arrives; each event as soon as it is complete.

    Where the request itself holds no key, the envelope's header does: then the reading begins without a
    context, and holds the rest of a piece until it is given one.

    Args:
        context: what is known of the request; None where that depends on the envelope's header.
        read: reads an event.
    """

    def __init__(self, context: ReadingContext | None = None, *, read: EventReader = read_event) -> None:
        self._context = context
        self._read = read
        self._reader = EnvelopeReader(_WANTED)
        self._waiting: list[bytes] = []
        self._has_first = False
        self._events: list[ReadEvent] = []
        self._losses: list[ClientLoss] = []
        self._dropped: Counter[str] = Counter()
        self._broken = 0

    @property
    def header(self) -> EnvelopeHeader | None:
        """The envelope's header, as soon as its line has come."""
        return self._reader.header

    @property
    def event_bytes(self) -> int:
        """Bytes of all events that were read so far, as they go on."""
        return sum(len(event.body) for event in self._events)

    def begin(self, context: ReadingContext) -> None:
        """Go on with what is known of the request by now; as soon as `header` tells enough."""
        self._context = context
        waiting, self._waiting = self._waiting, []
        for piece in waiting:
            self._take(self._reader.feed(piece))

    def feed(self, piece: bytes) -> None:
        """Read the next piece.

        Raises:
            UnreadableEnvelopeError: it is no envelope.
        """
        if self._context is None:
            end = piece.find(b"\n") + 1 or len(piece) if self.header is None else 0
            self._reader.feed(piece[:end])
            self._waiting.append(piece[end:])
        else:
            self._take(self._reader.feed(piece))

    def finish(self) -> ReadRequest:
        """End the reading.

        Raises:
            UnreadableEnvelopeError: it is no envelope.
            RuntimeError: it was never told what is known of the request, and there is more than a header.
        """
        self._take(self._reader.finish())
        if any(self._waiting):
            raise RuntimeError("the reading of an envelope ends before it was given its context")
        header = self.header or EnvelopeHeader()
        reading = Reading(
            events=self._events,
            dropped=dict(self._dropped + Counter(self._reader.dropped)),
            losses=merge_losses(self._losses),
            broken=self._broken + self._reader.broken,
            sdk=header.sdk or (self._context.sdk if self._context else None),
        )
        return _read_request(reading, header)

    def _take(self, items: list[Item]) -> None:
        for item in items:
            if item.kind == "event":
                self._take_event(item.payload)
            else:
                self._take_report(item.payload)

    def _take_event(self, payload: bytes) -> None:
        header, context = self.header, self._context
        if header is None or context is None:
            raise RuntimeError("an event is read before it is known whose it is")
        if self._has_first:  # the header names one event; others name themselves
            header = msgspec.structs.replace(header, event_id=None)
        self._has_first = True
        try:
            self._events.append(self._read(payload, context, header))
        except UnreadableEventError as error:
            if error.kind:
                self._dropped[error.kind] += 1
            else:
                self._broken += 1

    def _take_report(self, payload: bytes) -> None:
        try:
            self._losses += read_report(payload)
        except UnreadableReportError:
            self._broken += 1


def read_store(body: bytes, context: ReadingContext, *, read: EventReader = read_event) -> ReadRequest:
    """Read a body that was sent to ``/store/``, which is one event; older SDKs send transactions there too.

    Args:
        body: inflated, of a size that the caller has bounded.
        context: what is known of the request.
        read: reads the event.

    Raises:
        UnreadableStoreError: there is no event in it.
        StoreTooLargeError: the event is larger than `EVENT_BYTES_MAX`.
    """
    payload = unpack_store(body)
    reading = Reading(sdk=context.sdk)
    try:
        reading.events.append(read(payload, context, EnvelopeHeader()))
    except UnreadableEventError as error:
        if not error.kind:
            raise UnreadableStoreError(str(error)) from None
        reading.dropped = {error.kind: 1}
    return _read_request(reading, EnvelopeHeader())


def _read_request(reading: Reading, header: EnvelopeHeader) -> ReadRequest:
    ids = tuple(event.id.rpartition("_")[2] for event in reading.events)
    return ReadRequest(reading=reading, header=header, ids=ids)
