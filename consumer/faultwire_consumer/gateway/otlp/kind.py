"""The two forms of an OTLP body: protobuf's bytes, and its JSON."""

from enum import StrEnum

PROTOBUF_TYPES = ("application/x-protobuf", "application/protobuf")


class BodyKind(StrEnum):
    """Named by the content type that answers are sent with."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def body_kind(content_type: str) -> BodyKind | None:
    """Read a request's ``Content-Type``; None for any other, which is to be answered 415."""
    name = content_type.partition(";")[0].strip().lower()
    if name in PROTOBUF_TYPES:
        return BodyKind.PROTOBUF
    return BodyKind.JSON if name == "application/json" else None
