"""A compressed body is made of pieces of any size, and never becomes larger than its bound."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.serving.inflate import MEMBERS, DamagedError, InflatedTooLargeError, Inflater


def _raw(content: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(content) + engine.flush()


KINDS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", _raw),
]


def inflate(encoding: str, body: bytes, *, most: int, step: int = 7) -> bytes:
    inflater = Inflater(encoding, most=most)
    content = b"".join(inflater.feed(body[at : at + step]) for at in range(0, len(body), step))
    inflater.finish()
    return content


@given(content=st.binary(max_size=2_000), step=st.integers(1, 500), kind=st.sampled_from(KINDS))
def test_what_was_compressed_comes_back_whatever_the_pieces(
    content: bytes, step: int, kind: tuple[str, Callable[[bytes], bytes]]
) -> None:
    encoding, compress = kind
    assert inflate(encoding, compress(content), most=len(content), step=step) == content


@pytest.mark.parametrize(("encoding", "compress"), KINDS)
def test_one_byte_beyond_the_bound_ends_it(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    assert len(inflate(encoding, compress(b" " * 1_000), most=1_000)) == 1_000
    with pytest.raises(InflatedTooLargeError):
        inflate(encoding, compress(b" " * 1_001), most=1_000)


def test_of_a_bomb_no_more_is_made_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self._engine = real(bits)
            self.unused_data, self.eof = b"", False

        def decompress(self, piece: bytes, most: int) -> bytes:
            part = self._engine.decompress(piece, most)
            made.append(len(part))
            return part

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    bomb = gzip.compress(b" " * 10_000_000)
    with pytest.raises(InflatedTooLargeError):
        inflate("gzip", bomb, most=1_000, step=len(bomb))
    assert sum(made) == 1_001


@pytest.mark.parametrize(("encoding", "compress"), KINDS)
def test_what_is_cut_off_or_damaged_is_told(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    body = compress(b"an event" * 50)
    for wrong in (body[:-5], b"\xff" * 30, b"\x07" + body[1:]):
        with pytest.raises(DamagedError):
            inflate(encoding, wrong, most=1_000)


def test_gzip_in_parts_is_one_body_and_too_many_parts_are_none() -> None:
    part = gzip.compress(b"x")
    assert inflate("gzip", part * MEMBERS, most=1_000) == b"x" * MEMBERS
    with pytest.raises(DamagedError):
        inflate("gzip", part * (MEMBERS + 1), most=1_000)


def test_nothing_follows_the_end_of_deflate() -> None:
    with pytest.raises(DamagedError):
        inflate("deflate", zlib.compress(b"x") + b"more", most=1_000, step=100)
