"""Decoding of what grouping and the store's columns need; the frames stay raw bytes.

A full decode of the frames was the largest single cost of the pipeline (a third of its time).
They are decoded when their bytes are seen for the first time, see ``grouping.py``; everything
else is checked against the wire's types at once, so that what is stored can be read in full.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct, field

from faultwire_shared.codec import Undecodable, UndecodableReason, check_depth, check_version, read
from faultwire_shared.event import COUNT_MAX, NAME_CHARACTERS, Category, Name, Scalar, Sdk, Timestamp
from faultwire_shared.event_id import day_of
from faultwire_shared.json_text import DEEP_BYTES, UNREADABLE
from faultwire_shared.text import storable

ShortText = Annotated[str, Meta(max_length=NAME_CHARACTERS)]
BIGINT_MAX: Final = 2**63 - 1


class NarrowException(Struct, frozen=True):
    """One exception with its frames, attributes and members left undecoded."""

    type: str
    module: str = ""
    value: str = ""
    attributes: Raw = Raw(b"{}")
    notes: list[str] = field(default_factory=list)
    frames: Raw = Raw(b"[]")
    members: Raw = Raw(b"[]")


class NarrowEvent(Struct, frozen=True, kw_only=True):
    """An event of wire version 1 as the worker reads it first."""

    id: str
    schema_version: int
    occurred_at: Timestamp
    severity: str | int
    service: Name
    severity_text: str | None = None
    category: Category = Category.SYSTEM
    code: ShortText = ""
    message: str = ""
    template: str | None = None
    environment: Name = "production"
    release: ShortText | None = None
    host: str | None = None
    handled: bool = True
    exceptions: list[NarrowException] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Scalar] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    transaction: str | None = None
    breadcrumbs: list[dict[str, Any]] = field(default_factory=list)
    trace_id: str | None = None
    span_id: str | None = None
    fingerprint: list[str] = field(default_factory=list)
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 1
    first_at: Timestamp | None = None
    last_at: Timestamp | None = None
    producer_id: ShortText | None = None
    sequence: Annotated[int, Meta(ge=0, le=BIGINT_MAX)] | None = None
    scrubbed: bool = False
    truncated: list[str] = field(default_factory=list)
    sdk: Sdk | None = None


class _Identity(Struct, frozen=True):
    id: Any = None


_decoder: Final = msgspec.json.Decoder(NarrowEvent)
_identity: Final = msgspec.json.Decoder(_Identity)


def decode_narrow(raw: bytes) -> NarrowEvent:
    """Read one event as far as grouping and storing need it.

    Raises:
        Undecodable: it is not an event that this version can store.
    """
    try:
        raw.decode()  # raw parts are stored as they came, and must be readable later
    except UnicodeDecodeError as error:
        detail = f"not UTF-8 (byte {error.start})"
        raise Undecodable(UndecodableReason.MALFORMED, detail) from None
    try:
        event = read(_decoder, raw)
    except Undecodable as error:
        check_depth(raw)
        raise _unsupported_or(raw, error) from None
    if _may_be_deep(raw, event):
        check_depth(raw)
    _check(event)
    return event


def _may_be_deep(raw: bytes, event: NarrowEvent) -> bool:
    """Return whether there is room for anything too deep besides the frames, which are most of an event.

    Counting brackets took a quarter of the time. Frames are checked when their bytes are first seen.
    """
    room = len(raw)
    for exception in event.exceptions:
        room -= len(bytes(exception.frames))
    return room > DEEP_BYTES


class _Version(Struct, frozen=True):
    schema_version: int


_version: Final = msgspec.json.Decoder(_Version)


def _unsupported_or(raw: bytes, error: Undecodable) -> Undecodable:
    """Prefer the error of an unsupported version, which may look invalid here: it can be replayed later."""
    try:
        check_version(read(_version, raw).schema_version)
    except Undecodable as version_error:
        if version_error.reason is UndecodableReason.SCHEMA_UNSUPPORTED:
            return version_error
    return error


def _check(event: NarrowEvent) -> None:
    check_version(event.schema_version)
    try:
        day_of(event.id)
    except ValueError as error:
        raise Undecodable(UndecodableReason.BAD_ID, str(error), "$.id") from None
    if not event.message and not event.exceptions:
        raise Undecodable(UndecodableReason.INVALID, "neither a message nor exceptions", "$.message")


class _Numbered(Struct, frozen=True):
    producer_id: ShortText | None = None
    service: ShortText = ""
    sequence: Annotated[int, Meta(ge=0, le=BIGINT_MAX)] | None = None


_numbered: Final = msgspec.json.Decoder(_Numbered)


def number_in(raw: bytes) -> tuple[str, str, int] | None:
    """Find the producer, service and number that a broken event still names."""
    try:
        found = _numbered.decode(raw)
    except UNREADABLE:
        return None
    if not found.producer_id or found.sequence is None:
        return None
    return storable(found.producer_id), storable(found.service), found.sequence


def event_id_in(raw: bytes) -> str | None:
    """Find the id that a broken event still names."""
    try:
        found = _identity.decode(raw).id
    except UNREADABLE:
        return None
    return storable(found[:NAME_CHARACTERS]) if isinstance(found, str) else None
