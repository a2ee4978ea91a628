"""What lies in spool directories, read without the client's code: SQLite, and the layout of a record.

A record is: 4 bytes of magic, CRC32 of what follows it, its own length (4 bytes), the severity's rank (1),
the lengths of the event's id (1) and of the routing key (2), then the id, the key and the body.
All numbers are big-endian.
"""

import sqlite3
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Final

from msgspec import Struct

HEAD: Final = struct.Struct(">4sIIBBH")


class Spooled(Struct, frozen=True):
    """One event on disk."""

    event_id: str
    rank: int
    refusals: int
    body: bytes


def read_spools(directory: Path) -> list[Spooled]:
    """Every event in every file beneath the directory, from copies: the files may be somebody's."""
    return [event for path in sorted(directory.rglob("*.db")) for event in _read(path)]


def spooled_ids(directory: Path) -> set[str]:
    """The ids of every event beneath the directory."""
    return {event.event_id for event in read_spools(directory)}


def parse(record: bytes) -> Spooled | None:
    """The event in a record; None where a byte is not as it was written."""
    if len(record) < HEAD.size:
        return None
    magic, crc, length, rank, name, key = HEAD.unpack_from(record)
    if magic != b"\xf5fw\x01" or length != len(record) or zlib.crc32(record[8:]) != crc:
        return None
    body_at = HEAD.size + name + key
    return Spooled(record[HEAD.size : HEAD.size + name].decode(), rank, 0, record[body_at:])


def _read(path: Path) -> list[Spooled]:
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy.db"
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                # Not shutil's: Python 3.14's asks the kernel for more than a limit on files allows.
                Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
        connection = sqlite3.connect(copy)
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall():
                return []
            rows = connection.execute("SELECT refusals, record FROM events ORDER BY row").fetchall()
        finally:
            connection.close()
    events = [(refusals, parse(record)) for refusals, record in rows]
    assert all(event is not None for _, event in events), f"{path} holds a damaged record"
    return [Spooled(e.event_id, e.rank, refusals, e.body) for refusals, e in events if e is not None]
