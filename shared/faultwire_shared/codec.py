"""Events to bytes and back: JSON by msgspec, single and batch messages, reasons for unreadable bodies."""

import re
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from faultwire_shared.event import MESSAGE_BYTES, MESSAGE_EVENTS, SCHEMA_VERSION, Event
from faultwire_shared.json_text import BOM, JSON_DEPTH, UNREADABLE, is_deep, members_of, mend_surrogates
from faultwire_shared.producer_report import ProducerReport

T = TypeVar("T")

CONTENT_TYPE: Final = "application/json"
EVENT_TYPE: Final = "faultwire.event.v1"
BATCH_TYPE: Final = "faultwire.batch.v1"
PRODUCER_TYPE: Final = "faultwire.producer.v1"

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Event)
_report_decoder: Final = msgspec.json.Decoder(ProducerReport)
_splitter: Final = msgspec.json.Decoder(list[msgspec.Raw])
_PATH: Final = re.compile(r" - at `(?:key in )?(\$.*)`$")


class UndecodableReason(StrEnum):
    """The reason why a body is not an event that this version can read."""

    MALFORMED = "malformed_json"
    INVALID = "invalid_event"
    BAD_ID = "bad_event_id"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY = "too_many_events"
    SCHEMA_UNSUPPORTED = "schema_unsupported"
    TYPE_UNSUPPORTED = "type_unsupported"


class Undecodable(Exception):  # noqa: N818 - named for what it says of the body; it is handled, never shown
    """A body cannot be read as an event: the reason, a sentence, and the JSON path of the error."""

    def __init__(self, reason: UndecodableReason, detail: str, path: str = "$") -> None:
        super().__init__(f"{reason}: {detail} at {path}")
        self.reason = reason
        self.detail = detail
        self.path = path


def encode(event: Event) -> bytes:
    """Encode an event as JSON. Text must be free of lone surrogates (the client's capture ensures it)."""
    return _encoder.encode(event)


def encode_batch(events: list[bytes]) -> bytes:
    """Build one batch message of events that are already encoded."""
    return b"[" + b",".join(events) + b"]"


def decode(body: bytes | msgspec.Raw) -> Event:
    """Decode one event completely.

    Raises:
        Undecodable: the body is not an event of a known version.
    """
    event = read(_decoder, body)
    check_version(event.schema_version)
    return event


def encode_report(report: ProducerReport) -> bytes:
    """Encode a producer's report as JSON."""
    return _encoder.encode(report)


def decode_report(body: bytes | msgspec.Raw) -> ProducerReport:
    """Decode a producer's report.

    Raises:
        Undecodable: the body is not a report.
    """
    check_depth(bytes(body))
    report = read(_report_decoder, body)
    for index, lost in enumerate(report.lost):
        if lost.first > lost.last:
            raise Undecodable(UndecodableReason.INVALID, "ends before it begins", f"$.lost[{index}].to")
    return report


def split(body: bytes, message_type: str | None) -> list[msgspec.Raw]:
    """Take a message apart into the raw bytes of its events, unread; a producer's report is one.

    Half a surrogate pair in it costs one character, and what is nested too deeply is alone in that.
    A message without a type is read by its first character, so that a publisher that sets
    no properties is understood too.

    Raises:
        Undecodable: the message is too large, of an unknown type, an array that does not parse, or one of
            more events than a message may carry.
    """
    if len(body) > MESSAGE_BYTES:
        detail = f"{len(body):,} bytes, {MESSAGE_BYTES:,} at most"
        raise Undecodable(UndecodableReason.TOO_LARGE, detail)
    body = body.removeprefix(BOM)
    if message_type == PRODUCER_TYPE:
        return [msgspec.Raw(body)]
    if message_type not in (EVENT_TYPE, BATCH_TYPE, "", None):
        raise Undecodable(UndecodableReason.TYPE_UNSUPPORTED, f"message type {message_type[:100]!r}")
    if body.lstrip()[:1] == b"[" or message_type == BATCH_TYPE:
        return _bounded(_members(body))
    return [msgspec.Raw(body)]


def _bounded(members: list[msgspec.Raw]) -> list[msgspec.Raw]:
    if len(members) > MESSAGE_EVENTS:
        detail = f"{len(members):,} events, {MESSAGE_EVENTS:,} at most; send fewer at a time"
        raise Undecodable(UndecodableReason.TOO_MANY, detail)
    return members


def _members(body: bytes) -> list[msgspec.Raw]:
    try:
        return read(_splitter, body)
    except Undecodable as error:
        if error.reason is UndecodableReason.INVALID:
            raise
        if (mended := mend_surrogates(body)) != body:
            return _members(mended)
        if not is_deep(body):
            raise
    try:
        return [msgspec.Raw(member) for member in members_of(body)]
    except ValueError:
        raise _too_deep() from None


def _too_deep() -> Undecodable:
    return Undecodable(UndecodableReason.TOO_DEEP, f"nested more than {JSON_DEPTH} deep")


def check_depth(body: bytes) -> None:
    """Reject what is nested so deeply that not every Python reads it.

    Raises:
        Undecodable: with the reason that says so.
    """
    if is_deep(body):
        raise _too_deep()


def read(decoder: "msgspec.json.Decoder[T]", body: bytes | msgspec.Raw) -> T:
    """Decode, and translate msgspec's errors."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        path = _PATH.search(text)
        raise Undecodable(
            UndecodableReason.INVALID, _PATH.sub("", text), path.group(1) if path else "$"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except UNREADABLE as error:
        raise Undecodable(UndecodableReason.MALFORMED, str(error)) from None


def check_version(version: int) -> None:
    """Reject an unknown schema version.

    Raises:
        Undecodable: with a reason that lets the event be replayed after an upgrade.
    """
    if version != SCHEMA_VERSION:
        detail = f"schema_version {version}, this worker reads {SCHEMA_VERSION}"
        raise Undecodable(UndecodableReason.SCHEMA_UNSUPPORTED, detail, "$.schema_version")


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a producer's report."""
    (reference,), components = msgspec.json.schema_components([ProducerReport], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PRODUCER_TYPE,
        **reference,
        "$defs": components,
    }


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event, as publishers in other languages need it."""
    (reference,), components = msgspec.json.schema_components([Event], ref_template="#/$defs/{name}")
    components["Event"]["properties"]["severity"] = {
        "type": ["string", "integer"],
        "description": "low, medium, high or critical; the usual level names and numbers are understood too",
        "examples": ["low", "medium", "high", "critical"],
    }
    components["Event"]["properties"]["id"] = {"type": "string", "pattern": "^error_[0-9]{8}_[a-z0-9]{6,32}$"}
    components["Event"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    components["Event"]["anyOf"] = [
        {"required": ["message"], "properties": {"message": {"minLength": 1}}},
        {"required": ["exceptions"], "properties": {"exceptions": {"minItems": 1}}},
    ]
    components.pop("ErrorSeverity", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": EVENT_TYPE,
        **reference,
        "$defs": components,
    }
