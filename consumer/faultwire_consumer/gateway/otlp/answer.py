"""The answers that an exporter gets, in the form of its own request.

Written by hand, as each is two fields: an answer must not need the library that reads protobuf.
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from faultwire_consumer.gateway.otlp.kind import BodyKind

MESSAGE_CHARACTERS: Final = 500
_LENGTH: Final = 2
"""Protobuf's wire type of texts and messages; numbers have 0."""


class StatusCode(IntEnum):
    """Of ``google.rpc.Code``, those that an answer of OTLP/HTTP may say."""

    INVALID_ARGUMENT = 3
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class RejectedField(StrEnum):
    """The field of a partial success, as each signal names it in JSON."""

    LOG_RECORDS = "rejectedLogRecords"
    SPANS = "rejectedSpans"
    DATA_POINTS = "rejectedDataPoints"


def success_body(kind: BodyKind) -> bytes:
    """Say that all was taken: no bytes at all in protobuf, which is an empty message."""
    return b"" if kind is BodyKind.PROTOBUF else b"{}"


def partial_body(kind: BodyKind, signal: RejectedField, rejected: int, message: str) -> bytes:
    """Say how many records could not be taken, and why; the others were."""
    text = message[:MESSAGE_CHARACTERS]
    if kind is BodyKind.JSON:
        # 64-bit numbers are texts in protobuf's JSON.
        return msgspec.json.encode({"partialSuccess": {signal.value: str(rejected), "errorMessage": text}})
    return _text(1, _number(1, rejected) + _text(2, text.encode(errors="replace")))


def status_body(kind: BodyKind, code: int, message: str) -> bytes:
    """Say what is wrong, as ``google.rpc.Status``."""
    text = message[:MESSAGE_CHARACTERS].encode(errors="replace")
    if kind is BodyKind.JSON:
        return msgspec.json.encode({"code": int(code), "message": text.decode()})
    return _number(1, code) + _text(2, text)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
