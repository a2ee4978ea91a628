"""Bodies in protobuf: the outer frame is walked by hand, the records are decoded by protobuf's own library.

The library takes 7 MB of memory and is imported when the first such body comes, by `protobuf_messages`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from msgspec import Struct

from faultwire_consumer.gateway.otlp.limit import RECORD_BYTES
from faultwire_consumer.gateway.otlp.record import Attributes, LogRecord, OtlpGroup, OtlpScope, OtlpSpan
from faultwire_consumer.gateway.otlp.result import UnreadableOtlpError
from faultwire_consumer.gateway.otlp.wire import Wire

T = TypeVar("T")

_SCOPED: Final = 2
_FIRST: Final = 1
"""In each message of the frame the first field says what the second's records are of."""


class _Place(Struct, frozen=True):
    """The places of the parts of a resource or a scope."""

    head: list[range]
    """Of a part that is there several times, all of them: bytes that follow each other are merged."""
    items: list[range]


def protobuf_logs(body: bytes) -> Iterator[OtlpGroup[LogRecord]]:
    """Yield the log records of an ``ExportLogsServiceRequest``.

    Raises:
        UnreadableOtlpError: it is none.
    """
    from faultwire_consumer.gateway.otlp import protobuf_messages as messages  # noqa: PLC0415 - 7 MB

    return _groups(body, messages.read_log_record)


def protobuf_traces(body: bytes) -> Iterator[OtlpGroup[OtlpSpan]]:
    """Yield the spans of an ``ExportTraceServiceRequest``.

    Raises:
        UnreadableOtlpError: it is none.
    """
    from faultwire_consumer.gateway.otlp import protobuf_messages as messages  # noqa: PLC0415 - 7 MB

    return _groups(body, messages.read_span)


def count_protobuf_metrics(body: bytes) -> int:
    """Count the metrics of an ``ExportMetricsServiceRequest``; nothing of them is decoded.

    Raises:
        UnreadableOtlpError: it is none.
    """
    wire = Wire(body)
    scopes = [
        scope for resource in _all_of(wire, wire.whole, _FIRST) for scope in _all_of(wire, resource, _SCOPED)
    ]
    return sum(len(_all_of(wire, scope, _SCOPED)) for scope in scopes)


def _groups(body: bytes, read: Callable[[bytes], T | None]) -> Iterator[OtlpGroup[T]]:
    from faultwire_consumer.gateway.otlp import protobuf_messages as messages  # noqa: PLC0415 - 7 MB

    wire = Wire(body)
    # All of the frame is walked before anything is taken: a body that is cut off is not half taken.
    resources = [_place_of(wire, one) for one in _all_of(wire, wire.whole, _FIRST)]
    placed = [(one, [_place_of(wire, scope) for scope in one.items]) for one in resources]
    for resource, scopes in placed:
        attributes: Attributes = _read_head(wire, resource, messages.read_resource)
        for scope in scopes:
            yield OtlpGroup(
                resource=attributes,
                scope=_read_head(wire, scope, messages.read_scope) or OtlpScope(),
                records=(_read_one(wire, record, read) for record in scope.items),
            )


def _all_of(wire: Wire, place: range, field: int) -> list[range]:
    return [part for number, part in wire.parts(place) if number == field]


def _place_of(wire: Wire, place: range) -> _Place:
    found = _Place(head=[], items=[])
    for number, part in wire.parts(place):
        if number == _FIRST:
            found.head.append(part)
        elif number == _SCOPED:
            found.items.append(part)
    return found


def _read_head(wire: Wire, place: _Place, read: Callable[[bytes], Any]) -> Any:
    """Read what is said once for many records.

    Raises:
        UnreadableOtlpError: it cannot be: then nobody knows whose the records are.
    """
    content = b"".join(map(wire.bytes_at, place.head))
    found = read(content) if len(content) <= RECORD_BYTES else None
    if found is None:
        raise UnreadableOtlpError("a resource or a scope is not readable")
    return found


def _read_one(wire: Wire, place: range, read: Callable[[bytes], T | None]) -> T | None:
    return read(wire.bytes_at(place)) if len(place) <= RECORD_BYTES else None
