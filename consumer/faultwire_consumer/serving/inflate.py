"""Uncompresses a body that somebody else made: in pieces, and never beyond a bound."""

import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import brotli

ENCODINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "br": "br"}
)
"""What a ``Content-Encoding`` in small letters may say, and its name here."""
PIECE_BYTES: Final = 64 * 1024
"""Of content, at most, that is made at a time."""
MEMBERS: Final = 100
"""Parts of one gzip body: each costs a new engine, however little it holds."""
_INPUT_BYTES: Final = 16 * 1024
"""At a time: what an engine could not take yet is copied at each step."""
_BROTLI_BYTES: Final = 32_000
"""Asked for at a time: Brotli makes up to 32 KiB then."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8
"""The low half of zlib's first byte. No encoder begins a raw stream with it: those bits would be padding."""


class InflatedTooLargeError(Exception):
    """The content is larger than its bound."""


class DamagedError(Exception):
    """The content is cut off, or is not compressed as it says."""


class Inflater:
    """Inflates gzip, Brotli (``br``) or deflate, the latter with zlib's header or without.

    Its bound is the size of the content and not a ratio: real events inflate 87 times.

    Args:
        encoding: a name of `ENCODINGS`.
        most: bytes of content.
    """

    def __init__(self, encoding: str, *, most: int) -> None:
        self._left = most
        self._engine: _Engine = _Brotli() if encoding == "br" else _Zlib(is_gzip=encoding == "gzip")

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Inflate the next piece of a body, and yield its content in pieces, none of which is empty.

        They are made as they are taken; the last is to be taken before the next piece is fed.

        Raises:
            InflatedTooLargeError: the content is larger than its bound; at most one piece more was made.
            DamagedError: it is not compressed as it says.
        """
        for at in range(0, len(piece), _INPUT_BYTES):
            for part in self._engine.inflate(piece[at : at + _INPUT_BYTES]):
                self._left -= len(part)
                if self._left < 0:
                    raise InflatedTooLargeError
                if part:
                    yield part

    def finish(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            DamagedError: the content is cut off.
        """
        if not self._engine.is_complete:
            raise DamagedError("it is cut off")


class _Engine(Protocol):
    @property
    def is_complete(self) -> bool:
        """Return True if nothing is missing."""

    def inflate(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece becomes, `PIECE_BYTES` at most at a time."""


class _Zlib:
    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._members = 0
        self._engine: zlib._Decompress | None = None

    @property
    def is_complete(self) -> bool:
        return self._engine is None

    def inflate(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            engine = self._engine = self._engine or self._begin(piece)
            part = _step(engine, piece)
            yield part
            while len(part) == PIECE_BYTES and not (engine.eof or engine.unconsumed_tail):
                yield (part := _step(engine, b""))  # it may hold back more although it took everything
            piece = engine.unused_data if engine.eof else engine.unconsumed_tail
            self._engine = None if engine.eof else engine

    def _begin(self, piece: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > (MEMBERS if self._is_gzip else 1):
            raise DamagedError("something follows its end")
        if self._is_gzip:
            return zlib.decompressobj(_GZIP)
        return zlib.decompressobj(_ZLIB if piece[0] & 0xF == _ZLIB_METHOD else _RAW)


class _Brotli:
    def __init__(self) -> None:
        self._engine = brotli.Decompressor()
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        return not self._has_begun or bool(self._engine.is_finished())

    def inflate(self, piece: bytes) -> Iterator[bytes]:
        self._has_begun = True
        try:
            yield (part := self._engine.process(piece, output_buffer_limit=_BROTLI_BYTES))
            while len(part) >= _BROTLI_BYTES or not self._engine.can_accept_more_data():
                yield (part := self._engine.process(b"", output_buffer_limit=_BROTLI_BYTES))
        except brotli.error as error:
            raise DamagedError(str(error)) from None


def _step(engine: "zlib._Decompress", piece: bytes) -> bytes:
    try:
        return engine.decompress(piece, PIECE_BYTES)
    except zlib.error as error:
        raise DamagedError(str(error)) from None
