"""Rows out of a damaged file, without SQLite: every record that is whole can be found by its magic and CRC.

A record that fits a page lies there in one piece. A longer one goes on in overflow pages, whose chain begins
after as many bytes as SQLite's file format says (https://www.sqlite.org/fileformat2.html, section 1.6).
Deleted rows may come back this way: the store knows them.
"""

import struct
from array import array
from collections.abc import Iterator, Mapping
from typing import Final

from faultwire.publish.spool_file import PAGE_BYTES
from faultwire.publish.spool_record import HEAD_BYTES, MAGIC, Record, length_of, unpack

_WAL_HEAD: Final = 32
_FRAME_HEAD: Final = 24
_WAL_MAGIC: Final = (0x377F0682, 0x377F0683)
_MOST_LOCAL: Final = PAGE_BYTES - 35
_LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_BEFORE: Final = 24
"""A cell's bytes before its record, at most: two varints, the header and three small columns."""

Found = tuple[Record, bytes]


def salvage(path: str) -> Iterator[Found]:
    """Every whole record of a file and its WAL, each once."""
    pages = dict(_file_pages(path))
    newer = dict(_wal_pages(f"{path}-wal"))
    seen: set[str] = set()
    for images in ({**pages, **newer}, pages) if newer else (pages,):
        for image in images.values():
            for record, data in _records(image, images):
                if record.event_id not in seen:
                    seen.add(record.event_id)
                    yield record, data


def is_wal_whole(path: str) -> bool:
    """Whether each frame that the WAL's last writer wrote is as it was written."""
    data = _read(path)
    if len(data) < _WAL_HEAD:
        return not data
    magic, _, page_bytes, _, *salts, sum1, sum2 = struct.unpack_from(">8I", data)
    order = ">" if magic & 1 else "<"
    sums = _checksum(data[:24], order, (0, 0))
    if magic not in _WAL_MAGIC or page_bytes != PAGE_BYTES or sums != (sum1, sum2):
        return False
    ended = False
    for at in range(_WAL_HEAD, len(data) - _FRAME_HEAD - PAGE_BYTES + 1, _FRAME_HEAD + PAGE_BYTES):
        _, _, *frame_salts, sum1, sum2 = struct.unpack_from(">6I", data, at)
        if frame_salts != salts:
            ended = True  # an older round's, unless a frame of this round follows
            continue
        sums = _checksum(data[at : at + 8], order, sums)
        sums = _checksum(data[at + _FRAME_HEAD : at + _FRAME_HEAD + PAGE_BYTES], order, sums)
        if ended or sums != (sum1, sum2):
            return False
    return True


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    words = array("I", data)
    if order == ">":
        words.byteswap()
    first, second = sums
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second


def _records(page: bytes, pages: Mapping[int, bytes]) -> Iterator[Found]:
    at = page.find(MAGIC)
    while at >= 0:
        length = length_of(page[at : at + HEAD_BYTES])
        data = page[at : at + length] if at + length <= len(page) else b""
        record = unpack(data) if data else None
        if record is None and length:
            data = _overflowing(page, at, length, pages)
            record = unpack(data)
        if record is not None:
            yield record, data
        at = page.find(MAGIC, at + (len(data) if record is not None and len(data) < len(page) else 1))


def _overflowing(page: bytes, at: int, length: int, pages: Mapping[int, bytes]) -> bytes:
    """A record that goes on in other pages: how much of it lies here depends on the whole cell's size."""
    for start in range(at - 1, max(0, at - _BEFORE) - 1, -1):
        payload, after_payload = _varint(page, start)
        _, content = _varint(page, after_payload)
        before = at - content
        if not (0 < before < _BEFORE and payload == before + length and payload > _MOST_LOCAL):
            continue
        local = _LEAST_LOCAL + (payload - _LEAST_LOCAL) % (PAGE_BYTES - 4)
        if local > _MOST_LOCAL:
            local = _LEAST_LOCAL
        pieces = [page[at : content + local]]
        (following,) = struct.unpack_from(">I", page[content + local : content + local + 4].ljust(4, b"\0"))
        missing = length - len(pieces[0])
        while missing > 0 and following in pages:
            image = pages[following]
            pieces.append(image[4 : 4 + min(missing, PAGE_BYTES - 4)])
            missing -= len(pieces[-1])
            (following,) = struct.unpack_from(">I", image)
            if len(pieces[-1]) == 0:
                break
        if missing == 0:
            data = b"".join(pieces)
            if unpack(data) is not None:
                return data
    return b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(9):
        if at >= len(data):
            return -1, at
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _file_pages(path: str) -> Iterator[tuple[int, bytes]]:
    data = _read(path)
    for number, at in enumerate(range(0, len(data), PAGE_BYTES), start=1):
        page = data[at : at + PAGE_BYTES]
        if len(page) >= 8:
            yield number, page


def _wal_pages(path: str) -> Iterator[tuple[int, bytes]]:
    data = _read(path)
    for at in range(_WAL_HEAD, len(data) - _FRAME_HEAD, _FRAME_HEAD + PAGE_BYTES):
        (number,) = struct.unpack_from(">I", data, at)
        page = data[at + _FRAME_HEAD : at + _FRAME_HEAD + PAGE_BYTES]
        if len(page) >= 8:
            yield number, page


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as elsewhere in the client
            return file.read()
    except OSError:
        return b""
