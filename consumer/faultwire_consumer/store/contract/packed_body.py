"""The two forms of a stored body: a frame of zstd that names its dictionary, or JSON as it came.

A frame names itself by its first four bytes, with which no JSON begins: whoever has a stored body can read
it without asking for its row's ``doc_codec``, which says the same to those who read rows by hand.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from faultwire_shared.event import EVENT_BYTES

PLAIN: Final = 0
"""The codec of JSON as it came."""
ZSTD: Final = 1
"""The codec of a zstd frame; the dictionary that it needs is named in it, 0 for none."""
MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""The first bytes of every zstd frame."""
BODY_BYTES_MAX: Final = 4 * EVENT_BYTES
"""The most that a body unpacks to: it came in 256 KiB at most, and scrubbing may lengthen it."""
DICTIONARY_BYTES: Final = 64 * 1024
"""The size of a dictionary: of varied events, twice of it saves 1 % more and half of it 2 % less."""

_WINDOW_LOG_MAX: Final = 20
_LEVEL: Final = 3
"""Level 1 leaves 11 % more of varied events in three quarters of the time, level 6 3 % less in thrice it."""


class UnknownDictionaryError(Exception):
    """A body was packed with a dictionary that was not read from the store yet."""

    def __init__(self, dictionary_id: int) -> None:
        super().__init__(f"dictionary {dictionary_id} is not known")
        self.dictionary_id = dictionary_id


class DamagedBodyError(Exception):
    """A packed body cannot be unpacked; the text says why."""


class TrainingError(Exception):
    """No dictionary can be made of these samples."""


class Dictionary:
    """The parts that many bodies have in common, by which each of them becomes small."""

    def __init__(self, content: bytes) -> None:
        """Read a dictionary.

        Raises:
            ValueError: the content is none.
        """
        self.content = content
        self.zstd = zstd.ZstdDict(content)
        self.id = self.zstd.dict_id


Pack = Callable[[bytes], bytes]
"""Makes of a body what is stored of it."""


class Packer:
    """Packs bodies with one dictionary; threads wait for each other, and for none of Python's locks."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary_id = dictionary.id
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: _LEVEL,
            zstd.CompressionParameter.checksum_flag: 1,
        }
        # Digested once: each body would otherwise take the dictionary in anew, at forty times the cost.
        self._compressor = zstd.ZstdCompressor(options=options, zstd_dict=dictionary.zstd.as_digested_dict)

    def pack(self, body: bytes) -> bytes:
        """Return the body as a frame, or as it is where that saves nothing or nobody would unpack it."""
        if len(body) > BODY_BYTES_MAX:
            return body
        frame = self._compressor.compress(body, zstd.ZstdCompressor.FLUSH_FRAME)
        return frame if len(frame) < len(body) else body


def is_packed(body: bytes) -> bool:
    """Return True for a frame; a body that was unpacked is one no more."""
    return body.startswith(MAGIC)


def codec_of(body: bytes) -> int:
    """Return the codec of a body as it is stored."""
    return ZSTD if is_packed(body) else PLAIN


def unpack(body: bytes, find: Callable[[int], Dictionary | None]) -> bytes:
    """Return a stored body as it came.

    Args:
        body: as it is stored, in either codec.
        find: gives a dictionary by its id, or None if the store has lost it.

    Raises:
        DamagedBodyError: it is a frame that cannot be unpacked, or of more than `BODY_BYTES_MAX`.
    """
    if not is_packed(body):
        return body
    try:
        return _inflate(body, find)
    except (zstd.ZstdError, MemoryError) as error:
        raise DamagedBodyError(str(error)) from None


def _inflate(frame: bytes, find: Callable[[int], Dictionary | None]) -> bytes:
    head = zstd.get_frame_info(frame)
    dictionary = find(head.dictionary_id) if head.dictionary_id else None
    if head.dictionary_id and dictionary is None:
        raise DamagedBodyError(f"its dictionary {head.dictionary_id} is not in the store")
    decompressor = zstd.ZstdDecompressor(
        zstd_dict=dictionary.zstd if dictionary is not None else None,
        options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX},
    )
    text = decompressor.decompress(frame, BODY_BYTES_MAX)
    if not decompressor.eof:
        raise DamagedBodyError("it is cut short, or larger than any event")
    return text


def train(samples: Sequence[bytes]) -> Dictionary:
    """Make a dictionary of bodies: some tenths of a second for 4 MiB of them.

    Raises:
        TrainingError: they are too few, or have nothing in common.
    """
    try:
        return Dictionary(zstd.train_dict(samples, DICTIONARY_BYTES).dict_content)
    except (zstd.ZstdError, ValueError) as error:
        raise TrainingError(str(error)) from None


def packed_bytes(packer: Packer, samples: Sequence[bytes]) -> int:
    """Return how much the samples take when they are packed."""
    return sum(len(packer.pack(sample)) for sample in samples)
