"""One SQLite file of the spool: one connection of one process, used by one thread at a time."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS

PAGE_BYTES: Final = 8192
WAL_PAGES: Final = 200
WAL_BYTES: Final = 2 * WAL_PAGES * PAGE_BYTES
"""The WAL's bound: a checkpoint begins at half of it, and one transaction is bounded by the rest."""
REFUSALS: Final = 5
"""A row that was refused this often is set aside: it stays on disk and is not tried again."""
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
  row INTEGER PRIMARY KEY, rank INTEGER NOT NULL, refusals INTEGER NOT NULL DEFAULT 0, record BLOB NOT NULL
)
"""
# One statement for any number of rows, the same text each time. Python lets go of its lock at each step of
# SQLite (and to prepare a text that it does not know), and under a busy host has it back only after 5 ms
# (`sys.getswitchinterval`): row by row, 500 events would take seconds.
_APPEND: Final = """
INSERT INTO events (row, rank, record)
SELECT ? + key,
  json_extract(value, '$[0]'),
  substr(?, json_extract(value, '$[1]'), json_extract(value, '$[2]'))
FROM json_each(?)
"""
_LENGTHS: Final = """
SELECT rank, group_concat(length(record)) FROM events
WHERE row IN (SELECT value FROM json_each(?)) GROUP BY rank
"""
_DELETE: Final = "DELETE FROM events WHERE row IN (SELECT value FROM json_each(?))"
_INDEX: Final = "CREATE INDEX IF NOT EXISTS by_rank ON events (rank, row) WHERE refusals < 5"


class SpoolLimit(Struct, frozen=True):
    """Limits of what the spool may hold; ``bytes`` is the database and twice its WAL together."""

    rows: int = 100_000
    bytes: int = 256 * 1024 * 1024

    @property
    def wal_bytes(self) -> int:
        """The part of it that a WAL may take."""
        return min(WAL_BYTES, self.bytes // 4)

    @property
    def pages(self) -> int:
        """The rest that is left for the database, in pages."""
        return max(8, (self.bytes - 2 * self.wal_bytes) // PAGE_BYTES)


class Row(Struct, frozen=True):
    """One row as it lies in the file; whether the record is whole is not known yet."""

    row: int
    rank: int
    record: object
    """The bytes of a record, unless the file is damaged."""


def is_corrupt(error: BaseException) -> bool:
    """True if SQLite says that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in _CORRUPT


class SpoolFile:
    """The rows of one file, with their number and an upper bound of their pages kept in memory.

    Rows are numbered from ``first_row``, upwards for ever.

    Every method may raise ``sqlite3.Error``; ``is_corrupt`` tells damage from a full or failing disk.
    """

    def __init__(self, path: str, limit: SpoolLimit, *, first_row: int = 1) -> None:
        self.path = path
        self.limit = limit
        self.next_row: int = first_row
        self.connection: sqlite3.Connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self) -> None:
        execute = self.connection.execute
        # EXCLUSIVE before WAL: then there is no shared memory, and no second connection to race with.
        for pragma in (
            f"page_size={PAGE_BYTES}",
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"wal_autocheckpoint={max(1, self.limit.wal_bytes // 2 // PAGE_BYTES)}",
            f"journal_size_limit={self.limit.wal_bytes}",
            f"max_page_count={self.limit.pages}",
            "secure_delete=FAST",
            "cache_size=-2048",
        ):
            execute(f"PRAGMA {pragma}").fetchall()
        execute(_SCHEMA)
        execute(_INDEX)
        self.by_rank: Counter[int] = Counter()
        self.cost: int = 0
        for rank, length in execute("SELECT rank, length(record) FROM events"):
            self.by_rank[rank] += 1
            self.cost += cost_of(length)
        last_row = execute("SELECT max(row) FROM events").fetchone()[0] or 0
        self.next_row = max(self.next_row, last_row + 1)

    @property
    def rows(self) -> int:
        """The number of events it holds."""
        return self.by_rank.total()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when it ends."""
        self.connection.execute("BEGIN IMMEDIATE")
        before = self.by_rank.copy(), self.cost, self.next_row
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.by_rank, self.cost, self.next_row = before
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    @contextmanager
    def relaxed(self) -> Iterator[None]:
        """Commits that need no fsync of their own."""
        self.connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA synchronous=FULL")

    def append(self, records: Sequence[tuple[int, bytes]]) -> range:
        """Add (rank, record) pairs; the numbers of their rows."""
        first = self.next_row
        places, offset = [], 1
        for rank, record in records:
            places.append((rank, offset, len(record)))
            offset += len(record)
        joined = b"".join([record for _, record in records])
        self.connection.execute(_APPEND, (first, joined, json.dumps(places)))
        self.next_row += len(records)
        for rank, record in records:
            self.by_rank[rank] += 1
            self.cost += cost_of(len(record))
        return range(first, self.next_row)

    def records(self, rows: Iterable[int]) -> list[bytes]:
        """The records of rows."""
        select = "SELECT record FROM events WHERE row = ?"
        return [record for row in rows for (record,) in self.connection.execute(select, (row,))]

    def delete(self, rows: Sequence[int]) -> int:
        """Remove rows; how many there were."""
        deleted, wanted = 0, (json.dumps(list(rows)),)
        for rank, joined in self.connection.execute(_LENGTHS, wanted).fetchall():
            costs = [cost_of(int(length)) for length in joined.split(",")]
            self.by_rank[rank] -= len(costs)
            self.cost -= sum(costs)
            deleted += len(costs)
        self.connection.execute(_DELETE, wanted)
        return deleted

    def has_room(self, records: Sequence[tuple[int, bytes]]) -> bool:
        """True if the rows fit the budget as they are."""
        cost = self.cost + sum(cost_of(len(record)) for _, record in records)
        return self.rows + len(records) <= self.limit.rows and cost <= (self.limit.pages - 4) * PAGE_BYTES

    def least(self, below_rank: int, count: int) -> list[int]:
        """The rows of the least severe events below a rank, the oldest of a rank first."""
        select = "SELECT row FROM events WHERE rank < ? ORDER BY rank, row LIMIT ?"
        return [row for (row,) in self.connection.execute(select, (below_rank, count))]

    def batch(self, rank: int, after: int, claimed: Iterable[int] = ()) -> list[Row]:
        """The next rows of a rank that fit one message and are not spoken for."""
        taken: list[Row] = []
        spoken = set(claimed)
        size = 2
        select = (
            "SELECT row, rank, record FROM events WHERE rank = ? AND row > ? AND refusals < 5 ORDER BY row"
        )
        for found in self.connection.execute(select, (rank, after)):
            row = Row(*found)
            if row.row in spoken:
                continue
            # A damaged column may hold anything; the reader of records sees that it is none.
            size += len(row.record) if isinstance(row.record, bytes) else 0
            if len(taken) == BATCH_EVENTS or (taken and size > BATCH_BYTES):
                break
            taken.append(row)
        return taken

    def count_refusal(self, rows: Iterable[int]) -> None:
        """Note that a row was refused once more."""
        update = "UPDATE events SET refusals = refusals + 1 WHERE row = ?"
        self.connection.executemany(update, ((row,) for row in rows))

    def set_refusals(self, rows: Iterable[tuple[int, int]]) -> None:
        """Give rows the refusals that they had in another file."""
        update = "UPDATE events SET refusals = ? WHERE row = ?"
        self.connection.executemany(update, ((refusals, row) for row, refusals in rows))

    def waiting(self) -> int:
        """Rows that may be published: those that were not set aside."""
        return int(self.connection.execute("SELECT count(*) FROM events WHERE refusals < 5").fetchone()[0])

    def close(self) -> None:
        """Checkpoint and close."""
        self.connection.close()


def cost_of(length: int) -> int:
    """The bytes of whole pages that a record takes at most, with its share of the index."""
    inline = PAGE_BYTES - 200
    if length <= inline:
        return PAGE_BYTES // max(1, inline // (length + 40)) + 24
    return PAGE_BYTES * (2 + length // (PAGE_BYTES - 4))
