"""A compressed body is made of pieces of any size, and never becomes larger than its bound."""

import gzip
import random
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.serving.inflate import (
    MEMBERS,
    PIECE_BYTES,
    DamagedError,
    InflatedTooLargeError,
    Inflater,
)


def _raw(content: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(content) + engine.flush()


def _brotli(content: bytes) -> bytes:
    return bytes(brotli.compress(content, quality=4))


KINDS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", _raw),
    ("br", _brotli),
]


def inflate(encoding: str, body: bytes, *, most: int, step: int = 7) -> bytes:
    inflater = Inflater(encoding, most=most)
    content = [part for at in range(0, len(body), step) for part in inflater.feed(body[at : at + step])]
    inflater.finish()
    assert all(0 < len(part) <= PIECE_BYTES for part in content)
    return b"".join(content)


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


@pytest.mark.parametrize(("encoding", "compress"), KINDS)
def test_of_a_bomb_no_more_is_made_than_one_piece_beyond_the_bound(
    encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(b" " * 3_000_000)
    inflater = Inflater(encoding, most=1_000_000)
    made: list[int] = []
    with pytest.raises(InflatedTooLargeError):
        made.extend(len(part) for part in inflater.feed(bomb))
    assert 1_000_000 - PIECE_BYTES <= sum(made) <= 1_000_000


@pytest.mark.parametrize(("encoding", "compress"), KINDS)
@pytest.mark.parametrize("step", [1_000_000, 100])
def test_large_content_comes_back_in_pieces(
    encoding: str, compress: Callable[[bytes], bytes], step: int
) -> None:
    content = random.Random(7).randbytes(100_000) + b" " * 400_000
    for size in (len(content), 2 * PIECE_BYTES, 2 * PIECE_BYTES + 1, PIECE_BYTES - 1):
        assert inflate(encoding, compress(content[-size:]), most=size, step=step) == content[-size:]


def test_a_bomb_takes_no_more_memory_than_a_piece_and_its_own_size() -> None:
    bomb = gzip.compress(b" " * 30_000_000, compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(InflatedTooLargeError):
            deque(Inflater("gzip", most=29_000_000).feed(bomb), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


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


@pytest.mark.parametrize(("encoding", "compress"), KINDS[1:])
@pytest.mark.parametrize("step", [1, 100])
def test_nothing_follows_the_end_of_deflate_or_brotli(
    encoding: str, compress: Callable[[bytes], bytes], step: int
) -> None:
    with pytest.raises(DamagedError):
        inflate(encoding, compress(b"x") + b"more", most=1_000, step=step)


@given(body=st.binary(max_size=200), encoding=st.sampled_from(["gzip", "deflate", "br"]))
def test_no_bytes_raise_anything_else(body: bytes, encoding: str) -> None:
    with suppress(DamagedError, InflatedTooLargeError):
        inflate(encoding, body, most=1_000)


def test_no_body_is_no_content() -> None:
    for encoding in ("gzip", "deflate", "br"):
        assert inflate(encoding, b"", most=0) == b""
