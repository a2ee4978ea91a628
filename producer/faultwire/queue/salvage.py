"""Rows out of a damaged file, without SQLite: every record that is whole can be found by its magic and CRC.

A record that fits a page lies there in one piece. A longer one goes on in overflow pages, whose chain begins
after as many bytes as SQLite's file format says (https://www.sqlite.org/fileformat2.html, 1.6 and 4).
Deleted rows may come back this way: the store knows them.
"""

import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire.queue.file import PAGE_BYTES
from faultwire.queue.record import HEAD_BYTES, MAGIC, Record, length_of, unpack

_WAL_HEAD: Final = 32
_FRAME_HEAD: Final = 24
_FRAME_BYTES: Final = _FRAME_HEAD + PAGE_BYTES
_WAL_MAGIC: Final = (0x377F0682, 0x377F0683)
_MOST_LOCAL: Final = PAGE_BYTES - 35
_LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_BEFORE: Final = 24
"""A cell's bytes before its record, at most: two varints, the header and three small columns."""

Found = tuple[Record, bytes]
Read = Callable[[int], bytes]
"""A page by its number; empty where there is none."""


class _Frame(Struct, frozen=True):
    """One page in the WAL."""

    page: int
    at: int
    is_current: bool
    """Of the round that the WAL's head tells of; others are left from rounds before."""
    is_whole: bool
    commits: bool
    """The last one of a transaction."""


class Source:
    """The bytes of a file, read where they are asked for: a spool may be larger than the host has memory."""

    def __init__(self, path: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1
        self.size: int = os.fstat(self._descriptor).st_size if self._descriptor >= 0 else 0

    def read(self, at: int, count: int) -> bytes:
        """So many bytes, or as many as there are; none where the disk cannot read them."""
        if self._descriptor < 0:
            return b""
        try:
            return os.pread(self._descriptor, count, at)
        except OSError:
            return b""

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def salvage(path: str, seen: set[str], known: int) -> Iterator[Found]:
    """Every whole record of a file and its WAL that is not in ``seen``, each once; they are added to it.

    What lies only in outdated pages is looked at as long as fewer than ``known`` were seen.
    """
    file, wal = Source(path), Source(f"{path}-wal")
    try:
        frames = list(_frames(wal))
        for is_outdated, page, read in _images(file, wal, frames):
            if is_outdated and len(seen) >= known:
                continue
            for record, data in _records(page, read):
                if record.event_id not in seen:
                    seen.add(record.event_id)
                    yield record, data
    finally:
        file.close()
        wal.close()


class Wal(StrEnum):
    """The result of a look at a WAL."""

    WHOLE = "whole"
    TORN = "torn"
    """It ends in broken frames, as a kill in the middle of a write leaves it; or they were damaged."""
    BROKEN = "broken"
    """SQLite would read up to the damage, and throw away what is whole behind it."""


def look_at_wal(path: str) -> Wal:
    """Look at a WAL to tell if SQLite may be let near it."""
    wal = Source(path)
    try:
        if wal.size < _WAL_HEAD:
            return Wal.BROKEN if wal.size else Wal.WHOLE
        if _round_of(wal) is None:
            return Wal.BROKEN
        ended = broken = committed = False
        for frame in _frames(wal):
            # A page that changes again in its transaction is written over, and its sum is mended once the
            # commit's own frame is written (walRewriteChecksums): a kill in between leaves one commit behind
            # broken frames, and nothing behind that. Whatever else is whole there is something to lose.
            if (ended or broken) and frame.is_current and frame.is_whole and (frame.commits or committed):
                if ended or committed:
                    return Wal.BROKEN
                committed = True
            ended = ended or not frame.is_current
            broken = broken or (frame.is_current and not frame.is_whole)
        return Wal.TORN if broken else Wal.WHOLE
    finally:
        wal.close()


def _images(file: Source, wal: Source, frames: list[_Frame]) -> Iterator[tuple[bool, bytes, Read]]:
    """Each page as it should be, then each as it was before; with how the pages of its chain are found."""

    def page_of_file(number: int) -> bytes:
        return file.read((number - 1) * PAGE_BYTES, PAGE_BYTES)

    def page_now(number: int) -> bytes:
        at = newest.get(number)
        return page_of_file(number) if at is None else wal.read(at, PAGE_BYTES)

    current = [frame for frame in frames if frame.is_current]
    newest = {frame.page: frame.at for frame in current}
    damaged = {frame.page for frame in current if not frame.is_whole}
    pages = range(1, -(-file.size // PAGE_BYTES) + 1)
    for number in sorted({*pages, *newest}):
        yield False, page_now(number), page_now
    for frame in frames:
        yield frame.page not in damaged, wal.read(frame.at, PAGE_BYTES), page_now
    for number in pages:
        if number in newest:
            yield number not in damaged, page_of_file(number), page_of_file


def _round_of(wal: Source) -> tuple[int, ...] | None:
    """The two salts and two sums of the WAL's head; None where it is damaged."""
    head = wal.read(0, _WAL_HEAD)
    if len(head) < _WAL_HEAD:
        return None
    magic, _, page_bytes, _, *salts, sum1, sum2 = struct.unpack(">8I", head)
    is_whole = magic in _WAL_MAGIC and page_bytes == PAGE_BYTES
    return (*salts, sum1, sum2) if is_whole and _checksum(head[:24], magic, (0, 0)) == (sum1, sum2) else None


def _frames(wal: Source) -> Iterator[_Frame]:
    """Every frame; each is checked from the sums that stand before it, so one broken breaks no other."""
    magic = int.from_bytes(wal.read(0, 4), "big")
    beginning = _round_of(wal)
    sums = beginning[2:] if beginning is not None else (0, 0)
    for at in range(_WAL_HEAD, wal.size - _FRAME_BYTES + 1, _FRAME_BYTES):
        data = wal.read(at, _FRAME_BYTES)
        if len(data) < _FRAME_BYTES:
            continue
        page, pages, *salts, sum1, sum2 = struct.unpack_from(">6I", data)
        is_current = beginning is None or tuple(salts) == beginning[:2]
        expected = _checksum(data[_FRAME_HEAD:], magic, _checksum(data[:8], magic, (sums[0], sums[1])))
        is_whole = (sum1, sum2) == expected
        yield _Frame(page, at + _FRAME_HEAD, is_current, is_whole, commits=pages > 0)
        sums = sum1, sum2


def _checksum(data: bytes, magic: int, sums: tuple[int, int]) -> tuple[int, int]:
    words = array("I", data)
    if ("big" if magic & 1 else "little") != sys.byteorder:
        words.byteswap()
    first, second = sums
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second


def _records(page: bytes, read: Read) -> Iterator[Found]:
    at = page.find(MAGIC)
    while at >= 0:
        length = length_of(page[at : at + HEAD_BYTES])
        data = page[at : at + length] if at + length <= len(page) else b""
        record = unpack(data)
        if record is None and length:
            data = _overflowing(page, at, length, read)
            record = unpack(data)
        if record is not None:
            yield record, data
        at = page.find(MAGIC, at + (len(data) if record is not None and len(data) < len(page) else 1))


def _overflowing(page: bytes, at: int, length: int, read: Read) -> bytes:
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
        end = content + local
        following = int.from_bytes(page[end : end + 4], "big")
        data = page[at:end] + _chain(following, length - (end - at), read)
        if unpack(data) is not None:
            return data
    return b""


def _chain(number: int, missing: int, read: Read) -> bytes:
    pieces = []
    while missing > 0 and number:
        image = read(number)
        piece = image[4 : 4 + min(missing, PAGE_BYTES - 4)]
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
        number = int.from_bytes(image[:4], "big")
    return b"".join(pieces)


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
