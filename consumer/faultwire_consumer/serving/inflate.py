"""Uncompresses a body that somebody else made: in pieces, and never beyond a bound."""

import zlib
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8
"""The low half of zlib's first byte. No encoder begins a raw stream with it: those bits would be padding."""
MEMBERS: Final = 100
"""Parts of one gzip body: each costs a new engine, however little it holds."""


class InflatedTooLargeError(Exception):
    """The content is larger than its bound."""


class DamagedError(Exception):
    """The content is cut off, or is not compressed as it says."""


class Inflater:
    """Inflates gzip or deflate, the latter with zlib's header or without.

    Its bound is the size of the content and not a ratio: real events inflate 87 times.
    """

    def __init__(self, encoding: str, *, most: int) -> None:
        self._is_gzip = encoding == "gzip"
        self._left = most
        self._members = 0
        self._engine: zlib._Decompress | None = None

    def feed(self, piece: bytes) -> bytes:
        """Inflate the next piece.

        Raises:
            InflatedTooLargeError: the content is larger than its bound; at most one byte more was made.
            DamagedError: it is not compressed as it says.
        """
        parts = []
        while piece:
            engine = self._engine or self._begin(piece)
            try:
                part = engine.decompress(piece, self._left + 1)
            except zlib.error as error:
                raise DamagedError(str(error)) from None
            self._left -= len(part)
            if self._left < 0:
                raise InflatedTooLargeError
            parts.append(part)
            piece = engine.unused_data
            self._engine = None if engine.eof else engine
        return b"".join(parts)

    def finish(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            DamagedError: the content is cut off.
        """
        if self._engine is not None:
            raise DamagedError("it is cut off")

    def _begin(self, piece: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > (MEMBERS if self._is_gzip else 1):
            raise DamagedError("something follows its end")
        if self._is_gzip:
            return zlib.decompressobj(_GZIP)
        return zlib.decompressobj(_ZLIB if piece[0] & 0xF == _ZLIB_METHOD else _RAW)
