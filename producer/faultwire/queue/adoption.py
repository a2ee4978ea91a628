"""Taking over a file whose process is dead: its rows where it is sound, else what can be salvaged."""

# ruff: noqa: PTH105 - as elsewhere in the client, pathlib is slow to import

import contextlib
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from faultwire.queue import record as spool_record
from faultwire.queue.directory import TORN, Lock, SpoolDirectory, copy_own, size_of
from faultwire.queue.salvage import Wal, look_at_wal, salvage

CHUNK_ROWS: Final = 500
CHUNK_BYTES: Final = 512 * 1024
_ELSEWHERE: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
)
"""Errors that say nothing of the file itself; any other is damage, as flipped bits make more than CORRUPT."""
_UNREADABLE: Final = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)

logger: logging.Logger = logging.getLogger("faultwire")


class AdoptedRow(Struct, frozen=True):
    """One event of another file; ``number`` is 0 where it was salvaged."""

    number: int
    rank: int
    refusals: int
    data: bytes


class Adopter:
    """Reads one orphan, a chunk at a time: copy it first, say ``copied``, and ``finish`` when none is left.

    A death in between leaves duplicates, never a hole. After the last chunk ``missing`` says how many
    events the file had and could not give.
    """

    def __init__(self, directory: SpoolDirectory, lock: Lock) -> None:
        self.path: str = lock.database
        self.missing: int = 0
        self._directory = directory
        self._lock = lock
        self._connection: sqlite3.Connection | None = None
        self._noted = Counter(lock.noted())
        self._known = self._noted.total()
        self._seen: set[str] = set()
        self._found = 0
        """Rows, where ``_seen`` has ids: one that an interrupted adoption copied twice is two rows."""
        self._rows = self._read()
        self.is_damaged: bool = False
        self._is_read = False

    def read(self) -> list[AdoptedRow]:
        """The next rows; none when all are read.

        Raises:
            sqlite3.Error: the file is not damaged, and still cannot be read now.
            OSError: the same.
        """
        chunk: list[AdoptedRow] = []
        size = 0
        for row in islice(self._rows, CHUNK_ROWS):
            chunk.append(row)
            size += len(row.data)
            if size >= CHUNK_BYTES:
                break
        if not chunk and not self._is_read:
            # Nobody may take a file for empty, and remove it, because its reader failed once.
            raise sqlite3.OperationalError("reading broke off before the end")
        return chunk

    def _read(self) -> Iterator[AdoptedRow]:
        try:
            yield from self._sound_rows()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self.is_damaged = True
        except UnicodeDecodeError:
            self.is_damaged = True  # SQLite's message quotes what it found in the schema
        # The owner's note never says more than there was: where it does, damage looks like an empty file.
        self.is_damaged = self.is_damaged or self._found < self._known
        if self.is_damaged:
            yield from self._salvaged_rows()
        self._is_read = True

    def _sound_rows(self) -> Iterator[AdoptedRow]:
        if not self._may_open():
            self.is_damaged = True
            return
        connection = self._connection = _open(self.path)
        if connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
            self.is_damaged = True
            return
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall():
            return  # its process died before it wrote anything
        after = 0
        select = "SELECT row, refusals, record FROM events WHERE row > ? ORDER BY row LIMIT 100"
        while rows := connection.execute(select, (after,)).fetchall():
            after = rows[-1][0]
            for number, refusals, data in rows:
                record = spool_record.unpack(data)
                if record is None:
                    self.is_damaged = True
                    continue
                self._seen.add(record.event_id)
                self._found += 1
                yield AdoptedRow(number, record.rank, refusals if isinstance(refusals, int) else 0, data)

    def _may_open(self) -> bool:
        """True if SQLite may be let near; where that could cost what is salvageable, a copy is kept."""
        wal, torn = f"{self.path}-wal", f"{self.path}{TORN}"
        found = look_at_wal(wal)
        # Next to an empty database SQLite deletes the WAL unread.
        if found is Wal.BROKEN or (size_of(wal) and not size_of(self.path)):
            return False
        # An adoption that was interrupted has kept more than there is now; the note tells if that is needed.
        if found is Wal.TORN and not os.path.lexists(torn):
            copy_own(wal, torn)
        return True

    def _salvaged_rows(self) -> Iterator[AdoptedRow]:
        self._close_connection()
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{self.path}{TORN}", f"{self.path}-wal")
        repeated = self._found - len(self._seen)
        for record, data in salvage(self.path, self._seen, self._known - repeated):
            self._found += 1
            yield AdoptedRow(0, record.rank, 0, data)
        self.missing = max(0, self._known - self._found)

    def copied(self, rows: Sequence[AdoptedRow]) -> None:
        """Forget rows that lie elsewhere now, so that a crash before the end repeats few of them."""
        numbers = [(row.number,) for row in rows if row.number]
        if self._connection is None or not numbers:
            return
        self._noted.subtract(row.rank for row in rows)
        self._lock.note(self._noted)
        with contextlib.suppress(sqlite3.Error):  # a full disk; they will come twice
            self._connection.executemany("DELETE FROM events WHERE row = ?", numbers)
            self._connection.execute("COMMIT")

    def finish(self) -> None:
        """Remove the file, or put it aside where it is damaged; let go of the lock."""
        self._close_connection()
        if not self.is_damaged:
            self._directory.remove(self._lock)
            return
        place = self._directory.quarantine(self._lock)
        self._lock.release(remove=True)
        extra = {"event": "spool.salvaged", "events": len(self._seen), "lost": self.missing, "path": place}
        text = "spool.salvaged events=%d lost=%d path=%s"
        logger.warning(text, len(self._seen), self.missing, place, extra=extra)

    def close(self) -> None:
        """Leave the file to the next one who looks."""
        self._close_connection()
        self._lock.release(remove=False)

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        leak_connection(self._connection)
        self._lock.release(remove=False)

    def _close_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def prepare_to_leak() -> None:
    """Load what ``leak_connection`` needs, before a fork: a child may find an import half done for ever."""
    import ctypes  # noqa: F401, PLC0415 - a quarter of a MiB that only who forks pays for


def leak_connection(connection: sqlite3.Connection | None) -> None:
    """Keep a forked child from closing it: SQLite would checkpoint, and delete, the parent's WAL."""
    if connection is not None:
        import ctypes  # noqa: PLC0415 - as above

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _open(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level="DEFERRED")
    try:
        # EXCLUSIVE before WAL, as its owner had it: there is no shared memory to recover.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code in _UNREADABLE or code & 0xFF not in _ELSEWHERE
