"""Taking over a file whose process is dead: its rows where it is sound, else what can be salvaged."""

import contextlib
import ctypes
import logging
import sqlite3
from collections.abc import Iterator
from typing import Final

from faultwire.publish import spool_record
from faultwire.publish.spool_directory import Lock, SpoolDirectory
from faultwire.publish.spool_file import SpoolFile, SpoolLimit, is_corrupt
from faultwire.publish.spool_salvage import is_wal_whole, salvage

CHUNK_ROWS: Final = 500
CHUNK_BYTES: Final = 512 * 1024

AdoptedRow = tuple[int, int, bytes]
"""Rank, refusals, record."""

logger = logging.getLogger("faultwire")


class Adopter:
    """Reads one orphan, a chunk at a time. Copy first, ``finish`` then: in between there may be duplicates.

    After the last chunk ``missing`` says how many rows the file had and could not give.
    """

    def __init__(self, directory: SpoolDirectory, lock: Lock) -> None:
        self.missing = 0
        self._directory = directory
        self._lock = lock
        self._file: SpoolFile | None = None
        self._known = sum(lock.noted().values())
        self._seen: set[str] = set()
        self._rows = self._read()
        self._damaged = 0
        self._quarantined = False

    def read(self) -> list[AdoptedRow]:
        """The next rows; none when all are read.

        Raises:
            sqlite3.Error: the file is not damaged, and still cannot be read now.
            OSError: the same.
        """
        chunk: list[AdoptedRow] = []
        size = 0
        for row in self._rows:
            chunk.append(row)
            size += len(row[2])
            if len(chunk) >= CHUNK_ROWS or size >= CHUNK_BYTES:
                break
        return chunk

    def _read(self) -> Iterator[AdoptedRow]:
        try:
            yield from self._sound_rows()
        except sqlite3.DatabaseError as error:
            if not is_corrupt(error):
                raise
            yield from self._salvaged_rows()

    def _sound_rows(self) -> Iterator[AdoptedRow]:
        if not is_wal_whole(self._lock.database + "-wal"):
            yield from self._salvaged_rows()
            return
        self._file = SpoolFile(self._lock.database, SpoolLimit())
        if not self._file.is_sound():
            yield from self._salvaged_rows()
            return
        after = 0
        while rows := self._file.every(after, 100):
            after = rows[-1][0]
            for _, rank, refusals, data in rows:
                record = spool_record.unpack(data)
                if record is None:
                    self._damaged += 1
                    continue
                self._seen.add(record.event_id)
                yield rank, refusals, data
        self.missing = self._damaged

    def _salvaged_rows(self) -> Iterator[AdoptedRow]:
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._known = max(self._known, self._file.rows)
                self._file.close()
            self._file = None
        place = self._directory.quarantine(self._lock)
        self._quarantined = True
        for record, data in salvage(place):
            if record.event_id not in self._seen:
                self._seen.add(record.event_id)
                yield record.rank, 0, data
        self.missing = max(0, self._known - len(self._seen), self._damaged)
        extra = {"event": "spool.salvaged", "events": len(self._seen), "lost": self.missing, "path": place}
        logger.warning(
            "spool.salvaged events=%d lost=%d path=%s", len(self._seen), self.missing, place, extra=extra
        )

    def finish(self) -> None:
        """Remove the file, or leave what was quarantined; let go of the lock."""
        self._close_connection()
        if self._quarantined:
            self._lock.release(remove=True)
        else:
            self._directory.remove(self._lock)

    def close(self) -> None:
        """Leave the file to the next one who looks."""
        self._close_connection()
        self._lock.release(remove=False)

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        if self._file is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._file.connection))
        self._lock.release(remove=False)

    def _close_connection(self) -> None:
        self._rows = iter(())
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.close()
            self._file = None
