"""Protobuf's outer frame: which parts of a message lie where, without reading them.

Both traces and logs are records in scopes in resources. Walking so far by hand bounds what is decoded: one
record at a time, and a broken one alone is lost.
"""

from collections.abc import Iterator
from typing import Final

from faultwire_consumer.gateway.otlp.limit import STEPS
from faultwire_consumer.gateway.otlp.result import UnreadableOtlpError

_VARINT: Final = 0
_FIXED_64: Final = 1
_BYTES: Final = 2
_FIXED_32: Final = 5
_VARINT_BYTES: Final = 10


class Wire:
    """The bytes of one body, of which so many parts are looked at and no more."""

    def __init__(self, body: bytes, *, steps: int = STEPS) -> None:
        self._body = body
        self._left = steps

    @property
    def whole(self) -> range:
        """The place of all of it."""
        return range(len(self._body))

    def bytes_at(self, place: range) -> bytes:
        """Copy a part."""
        return self._body[place.start : place.stop]

    def parts(self, place: range) -> Iterator[tuple[int, range]]:
        """Yield the number of each field of a message that holds bytes, and where they lie.

        Raises:
            UnreadableOtlpError: it is no message, or there are too many parts.
        """
        position = place.start
        while position < place.stop:
            self._left -= 1
            if self._left < 0:
                raise UnreadableOtlpError("it has too many parts")
            key, position = self._varint(position, place.stop)
            size = self._size(key & 7, position, place.stop)
            if key & 7 == _BYTES:
                size, position = self._varint(position, place.stop)
            end = position + size
            if end > place.stop or not key >> 3:
                raise UnreadableOtlpError(f"it is no protobuf at byte {position}")
            if key & 7 == _BYTES:
                yield key >> 3, range(position, end)
            position = end

    def _size(self, kind: int, position: int, stop: int) -> int:
        if kind == _VARINT:
            return self._varint(position, stop)[1] - position
        if kind in (_FIXED_64, _FIXED_32):
            return 8 if kind == _FIXED_64 else 4
        if kind == _BYTES:
            return 0
        raise UnreadableOtlpError(f"it is no protobuf at byte {position}")

    def _varint(self, position: int, stop: int) -> tuple[int, int]:
        value = shift = 0
        for at in range(position, min(stop, position + _VARINT_BYTES)):
            one = self._body[at]
            value |= (one & 0x7F) << shift
            if one < 0x80:
                return value, at + 1
            shift += 7
        raise UnreadableOtlpError(f"it is cut off at byte {position}")
