"""Frames that the AMQP library cannot decode, read all the same.

pamqp raises where a text is not UTF-8 (`content_type`, `type`, a header's name, the routing key), where a
time lies beyond the calendar (`timestamp` in nanoseconds) and where a table is nested too deeply; aiormq then
drops the connection. RabbitMQ gives the message back, and its lane is lost again and again, with all that it
held. None of that matters to a worker, which needs a message's type, its body and the broker's own headers.

aiormq has no place where one connection's decoding could be replaced: it calls ``pamqp.frame.unmarshal``.
That name leads here as soon as a worker connects, but only for connections that are opened within
`odd_frames_are_read`, whose tasks inherit its mark; and only once pamqp itself has failed.
"""

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import pamqp.frame
from pamqp import commands, decode
from pamqp.constants import FRAME_HEADER, FRAME_HEADER_SIZE, FRAME_METHOD
from pamqp.header import ContentHeader

from faultwire_consumer.ingest.receive.outage import LOG_SECONDS

TABLE_DEPTH: Final = 16
"""The broker's own headers are three deep; what is nested deeper is left out."""
_CONTENT_HEADER_BYTES: Final = 12
_VALUES: Final = {"octet", "longlong", "long", "short"}

_unmarshal: Final = pamqp.frame.unmarshal
_is_ours: Final[ContextVar[bool]] = ContextVar("faultwire_odd_frames", default=False)


class OddHeader(ContentHeader):
    """A content header that pamqp could not decode, with what of it can be read."""

    why = ""
    """pamqp's complaint."""


class Oddities:
    """Counts a lane's odd messages, and says when to log: a service sends all of its messages like that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at: float | None = None
        self._messages = 0

    def note(self) -> int:
        """Count a message; return how many there were since the last line, 0 while that is too recent."""
        self._messages += 1
        now = self._clock()
        if self._logged_at is not None and now - self._logged_at < LOG_SECONDS:
            return 0
        self._logged_at, told, self._messages = now, self._messages, 0
        return told


@contextmanager
def odd_frames_are_read() -> Iterator[None]:
    """Let the connection that is opened in here live through frames that pamqp cannot decode."""
    pamqp.frame.unmarshal = _read_frame  # type: ignore[assignment]  # a name of the same meaning
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


def oddity_of(header: ContentHeader) -> str:
    """Return what was wrong with a message's properties; empty for nearly all."""
    return header.why if isinstance(header, OddHeader) else ""


def _read_frame(data: bytes) -> Any:
    try:
        return _unmarshal(data)
    except Exception as error:
        frame = _mended(data, str(error)) if _is_ours.get() else None
        if frame is None:
            raise
        return frame


def _mended(data: bytes, why: str) -> Any:
    """Decode a frame leniently; None if it is none that can come with a message."""
    kind, channel, size = pamqp.frame.frame_parts(data)
    if kind not in (FRAME_METHOD, FRAME_HEADER) or size is None or len(data) != FRAME_HEADER_SIZE + size + 1:
        return None
    payload = data[FRAME_HEADER_SIZE:-1]
    try:
        frame = _method(payload) if kind == FRAME_METHOD else _content_header(payload, why)
    except (struct.error, LookupError, ValueError):
        return None  # pamqp's own error says more
    return len(data), channel, frame


def _method(payload: bytes) -> Any:
    """Decode a method whose texts are not UTF-8, as that of a delivery with such a routing key."""
    method = commands.INDEX_MAPPING[struct.unpack_from(">I", payload)[0]]()
    at, bit = 4, 0
    for name in method.attributes():
        kind = method.amqp_type(name)
        if kind == "bit":
            setattr(method, name, bool(payload[at] & 1 << bit))
            bit += 1
            continue
        at, bit = at + bool(bit), 0
        at, value = _value(kind, payload, at)
        setattr(method, name, value)
    _check_end(at, len(payload))
    return method


def _content_header(payload: bytes, why: str) -> OddHeader:
    header = OddHeader()
    header.why = why
    _, header.weight, header.body_size, flags = struct.unpack_from(">HHQH", payload)
    at, properties = _CONTENT_HEADER_BYTES + 2, header.properties
    for name in properties.attributes():
        if flags & properties.flags[name]:
            at, value = _value(properties.amqp_type(name), payload, at)
            setattr(properties, name, value)
    _check_end(at, len(payload))
    return header


def _value(kind: str, data: bytes, at: int) -> tuple[int, Any]:
    """Decode one argument or property; return where the next one begins, and its value."""
    match kind:
        case "shortstr":
            return _short_text(data, at)
        case "timestamp":
            return at + 8, None  # nothing here uses it
        case "table":
            return _table(data, at, depth=0)
        case "longstr":
            return _long_text(data, at)
        case _ if kind in _VALUES:
            consumed, value = decode.by_type(data[at : at + 8], kind)
            return at + consumed, value
    raise ValueError(kind)


def _short_text(data: bytes, at: int) -> tuple[int, str]:
    end = at + 1 + data[at]
    return end, data[at + 1 : end].decode(errors="replace")


def _block(data: bytes, at: int) -> tuple[int, int]:
    """Return the beginning and the end of what is preceded by its length."""
    begin = at + 4
    end = begin + int(struct.unpack_from(">I", data, at)[0])
    _check_end(end, len(data))
    return begin, end


def _check_end(at: int, end: int) -> None:
    if at > end:
        raise ValueError("a value ends beyond what it stands in")


def _long_text(data: bytes, at: int) -> tuple[int, str]:
    begin, end = _block(data, at)
    return end, data[begin:end].decode(errors="replace")


def _table(data: bytes, at: int, *, depth: int) -> tuple[int, dict[str, Any]]:
    at, end = _block(data, at)
    table = {}
    while at < end:
        at, name = _short_text(data, at)
        at, table[name] = _field(data, at, depth=depth)
    _check_end(at, end)
    return end, table


def _array(data: bytes, at: int, *, depth: int) -> tuple[int, list[Any]]:
    at, end = _block(data, at)
    items = []
    while at < end:
        at, value = _field(data, at, depth=depth)
        items.append(value)
    _check_end(at, end)
    return end, items


def _field(data: bytes, at: int, *, depth: int) -> tuple[int, Any]:
    """Decode a value of a table or an array; a time and what is nested too deeply are None."""
    kind, at = data[at : at + 1], at + 1
    if kind in b"FA" and depth >= TABLE_DEPTH:
        return _block(data, at)[1], None
    match kind:
        case b"F":
            return _table(data, at, depth=depth + 1)
        case b"A":
            return _array(data, at, depth=depth + 1)
        case b"T":
            return at + 8, None
        case b"S" | b"x":
            return _long_text(data, at)
    consumed, value = decode.TABLE_MAPPING[kind](data[at : at + 8])
    return at + consumed, value
