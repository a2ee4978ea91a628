"""A packed body is read as it came, or is damaged and says so; nothing else ever comes of one."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.varied import varied_bodies

from faultwire_consumer.store.contract.packed_body import (
    BODY_BYTES_MAX,
    PLAIN,
    ZSTD,
    DamagedBodyError,
    Dictionary,
    Packer,
    TrainingError,
    UnknownDictionaryError,
    codec_of,
    is_packed,
    train,
    unpack,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODIES = list(varied_bodies(200))
DICTIONARY = train(BODIES[:150])
PACKER = Packer(DICTIONARY)
SMALL = PACKER.pack(min(BODIES, key=len))


def find(dictionary_id: int) -> Dictionary | None:
    return DICTIONARY if dictionary_id == DICTIONARY.id else None


def unpacked(stored: bytes) -> bytes | None:
    try:
        return unpack(stored, find)
    except DamagedBodyError:
        return None


@given(st.binary(max_size=2_000))
def test_whatever_is_packed_is_unpacked_as_it_came(body: bytes) -> None:
    assert is_packed(body) or unpack(PACKER.pack(body), find) == body


def test_a_frame_is_a_third_of_a_varied_event_and_names_its_codec_and_dictionary() -> None:
    frames = [PACKER.pack(body) for body in BODIES[150:]]
    assert [unpack(frame, find) for frame in frames] == BODIES[150:]
    assert sum(map(len, frames)) < sum(map(len, BODIES[150:])) / 3
    assert {codec_of(frame) for frame in frames} == {ZSTD}
    assert {zstd.get_frame_info(frame).dictionary_id for frame in frames} == {DICTIONARY.id}


def test_what_packing_would_not_shorten_stays_as_it_came() -> None:
    assert PACKER.pack(b"{}") == b"{}"
    assert codec_of(b"{}") == PLAIN


def test_what_nobody_would_unpack_is_not_packed() -> None:
    large = bytes(BODY_BYTES_MAX + 1)
    assert PACKER.pack(large) is large


def test_a_frame_without_a_dictionary_is_read_too() -> None:
    assert unpack(zstd.compress(BODIES[0]), find) == BODIES[0]


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_byte_that_changed_never_reads_as_another_body(place: int, by: int) -> None:
    damaged = bytearray(SMALL)
    damaged[place] ^= by
    # Bits of a frame's head say nothing; a changed first byte makes it no frame at all.
    assert unpacked(bytes(damaged)) in {None, unpack(SMALL, find), bytes(damaged)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: SMALL[:-1],
        lambda: SMALL[:5],
        lambda: zstd.compress(bytes(BODY_BYTES_MAX + 1)),
        lambda: zstd.compress(bytes(100 << 20)),
        lambda: Packer(train(BODIES[50:])).pack(BODIES[0]),
    ],
    ids=["without its end", "cut in its head", "larger than any event", "a bomb", "of a lost dictionary"],
)
def test_what_cannot_be_unpacked_is_damaged(make: Callable[[], bytes]) -> None:
    with pytest.raises(DamagedBodyError):
        unpack(make(), find)


def test_a_dictionary_that_was_not_read_yet_is_asked_for() -> None:
    def ask(dictionary_id: int) -> Dictionary | None:
        raise UnknownDictionaryError(dictionary_id)

    with pytest.raises(UnknownDictionaryError) as caught:
        unpack(SMALL, ask)
    assert caught.value.dictionary_id == DICTIONARY.id


@pytest.mark.parametrize("samples", [[], [b""] * 9, [b"{}"] * 3])
def test_no_dictionary_is_made_of_nothing(samples: list[bytes]) -> None:
    with pytest.raises(TrainingError):
        train(samples)
