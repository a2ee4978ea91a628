"""A row of the spool as one run of bytes that can be told from its surroundings, and checked."""

import struct
import zlib
from typing import Final

import msgspec
from msgspec import Struct

MAGIC: Final = b"\xf5fw\x01"
_HEAD: Final = struct.Struct(">4sIIBBH")  # magic, CRC, length, rank, and the lengths of the id and the key
HEAD_BYTES: Final = _HEAD.size
_CHECKED: Final = 8  # the CRC covers what follows it
RANKS: Final = (4, 3, 2, 1)
"""The severities' ranks, the most severe first."""
RECORD_BYTES_MAXIMUM: Final = 1024 * 1024


class Record(Struct, frozen=True):
    """The facts about an event that are needed to publish it."""

    event_id: str
    rank: int
    routing_key: str
    body: bytes


class _NumberedBody(Struct, frozen=True):
    producer_id: str
    sequence: int


_numbered: Final = msgspec.json.Decoder(_NumberedBody)


def pack(event_id: str, rank: int, routing_key: str, body: bytes) -> bytes:
    """The event as bytes, with its length and CRC32."""
    name, key = event_id.encode(errors="replace")[:255], routing_key.encode(errors="replace")
    length = HEAD_BYTES + len(name) + len(key) + len(body)
    data = b"".join((_HEAD.pack(MAGIC, 0, length, rank, len(name), len(key)), name, key, body))
    return b"".join((MAGIC, zlib.crc32(data[_CHECKED:]).to_bytes(4, "big"), data[_CHECKED:]))


def length_of(head: bytes) -> int:
    """The length of the record that begins so; 0 where none does."""
    if len(head) < HEAD_BYTES or head[:4] != MAGIC:
        return 0
    length: int = _HEAD.unpack_from(head)[2]
    return length if HEAD_BYTES <= length <= RECORD_BYTES_MAXIMUM else 0


def unpack(data: object) -> Record | None:
    """The event, or None where a byte is not as it was written; a damaged column may hold anything."""
    if not isinstance(data, bytes) or len(data) < HEAD_BYTES or length_of(data) != len(data):
        return None
    _, crc, _, rank, name_bytes, key_bytes = _HEAD.unpack_from(data)
    if zlib.crc32(data[_CHECKED:]) != crc:
        return None
    key_at = HEAD_BYTES + name_bytes
    body_at = key_at + key_bytes
    if rank not in RANKS:
        return None
    return Record(data[HEAD_BYTES:key_at].decode(), rank, data[key_at:body_at].decode(), data[body_at:])


def number_in(data: bytes) -> tuple[str, int] | None:
    """The producer of a record's event and which of its events it is; None where that cannot be read."""
    record = unpack(data)
    if record is None:
        return None
    try:
        found = _numbered.decode(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.producer_id, found.sequence
