"""What the spool's thread does with its file: write, evict, give out, delete, adopt."""

import contextlib
import ctypes
import logging
import sqlite3
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from faultwire.publish import spool_record
from faultwire.publish.buffer import Buffer
from faultwire.publish.loss import LossReason
from faultwire.publish.spool_adoption import Adopter
from faultwire.publish.spool_directory import Lock, SpoolDirectory
from faultwire.publish.spool_file import REFUSALS, Row, SpoolFile, SpoolLimit
from faultwire.publish.ticket import SPOOLED, Ticket
from faultwire_shared.event import ErrorSeverity, Lane

AGE_SECONDS: Final = 0.02
"""What is not confirmed by then goes to disk as well: the promised window is 50 ms."""
UNDER_WAY_SECONDS: Final = 0.03
"""The same for what is being published: its confirm is worth a little patience."""
CROWDED_SECONDS: Final = 1.0
"""After an event found no room, until those in memory are tried again."""
ADOPT_SECONDS: Final = 60.0
"""Between two looks for files whose process has died."""
_RANKS: Final = (4, 3, 2, 1)

T = TypeVar("T")

logger = logging.getLogger("faultwire")


class SpoolKeeper:
    """The file of one spool; but for the three queues of news, everything belongs to one thread.

    Its methods may raise ``sqlite3.Error`` and ``OSError``; what was not done then is done next time.
    """

    def __init__(
        self,
        directory: SpoolDirectory,
        service: str,
        buffer: Buffer,
        *,
        limit: SpoolLimit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.confirmed: deque[int] = deque()
        self.refused: deque[int] = deque()
        self.released: deque[Ticket] = deque()
        self.originals: weakref.WeakValueDictionary[int, Ticket] = weakref.WeakValueDictionary()
        self.waiting = 0
        """Events that may be published, be they under way or not."""
        self.adopt_at = 0.0
        self._directory = directory
        self._service = service
        self._buffer = buffer
        self._limit = limit
        self._clock = clock
        self._file: SpoolFile | None = None
        self._lock: Lock | None = None
        self._adopter: Adopter | None = None
        self._claimed: set[int] = set()
        self._cursors = dict.fromkeys(_RANKS, 0)
        self._crowded_until = 0.0
        self._aside = 0
        self._noted: Counter[int] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    @property
    def is_adopting(self) -> bool:
        """Whether another file is being read."""
        return self._adopter is not None

    @property
    def offers(self) -> bool:
        """Whether something could be taken that is not under way."""
        return self.waiting > len(self._claimed)

    def work(self, hasty: list[Ticket], *, everything: bool) -> None:
        """Write what is due and do what the news ask for."""
        file = self._opened()
        now = self._clock()
        due = hasty
        if everything or now >= self._crowded_until:
            before = (now, now) if everything else (now - AGE_SECONDS, now - UNDER_WAY_SECONDS)
            due = due + self._buffer.unsettled(before[0], taken_before=before[1])
        while due:
            wrote = self._write(file, due)
            due = self._buffer.unsettled(now) if everything and wrote else []
        self._tidy(file)
        if not everything:
            self._adopt(file)
        self._count(file)

    def _opened(self) -> SpoolFile:
        if self._file is None:
            self._directory.prepare()
            lock = self._directory.claim_new(self._service)
            try:
                self._file = SpoolFile(lock.database, self._limit)
            except BaseException:
                self._directory.remove(lock)
                raise
            self._lock = lock
            logger.debug("spool.opened", extra={"event": "spool.opened", "sqlite": sqlite3.sqlite_version})
        return self._file

    def _write(self, file: SpoolFile, due: Iterable[Ticket]) -> bool:
        """Commit in as many transactions as the WAL's budget asks for; whether every event found room."""
        fits = True
        chunk: list[tuple[Ticket, bytes]] = []
        size = 0
        for ticket in dict.fromkeys(due):
            body = ticket.body
            if ticket.settled or not body:
                continue
            chunk.append((ticket, spool_record.pack(ticket.event_id, ticket.rank, ticket.routing_key, body)))
            size += len(chunk[-1][1])
            if size >= file.limit.wal_bytes // 4:
                fits = self._commit(file, chunk) and fits
                chunk, size = [], 0
        return (not chunk or self._commit(file, chunk)) and fits

    def _commit(self, file: SpoolFile, chunk: list[tuple[Ticket, bytes]]) -> bool:
        evicted, written = 0, 0
        with file.transaction():
            chunk.sort(key=lambda pair: -pair[0].rank)
            if file.has_room([(ticket.rank, record) for ticket, record in chunk]):
                rows = list(file.append([(ticket.rank, record) for ticket, record in chunk]))
                written = len(rows)
            else:
                rows = []
                for ticket, record in chunk:
                    evicted += self._make_room(file, ticket.rank, record)
                    if file.has_room([(ticket.rank, record)]):
                        rows += file.append([(ticket.rank, record)])
                        written += 1
                    else:
                        break
        tickets = [ticket for ticket, _ in chunk[:written]]
        for ticket, row in zip(tickets, rows, strict=True):
            ticket.row = row
            self.originals[row] = ticket
        moved = self._buffer.move_to_spool(tickets)
        self._claimed.update(ticket.row for ticket in moved.kept)
        self.confirmed.extend(ticket.row for ticket in moved.late)
        self.released.extend(moved.left)
        self._buffer.lose_spooled(LossReason.SPOOL_EVICTED, events=evicted)
        if written < len(chunk):
            self._crowded_until = self._clock() + CROWDED_SECONDS
        return written == len(chunk)

    def _make_room(self, file: SpoolFile, rank: int, record: bytes) -> int:
        """Evict events of less severity, the least severe and oldest first; how many."""
        evicted = 0
        while not file.has_room([(rank, record)]):
            victims = [row for row in file.least(rank, 10 + len(self._claimed)) if row not in self._claimed][
                :10
            ]
            if not victims:
                break
            evicted += file.delete(victims)
        return evicted

    def _tidy(self, file: SpoolFile) -> None:
        """Delete what was confirmed, note what was refused, and let go of what came back."""
        released = drained(self.released)
        confirmed, refused = drained(self.confirmed), drained(self.refused)
        if confirmed or refused:
            try:
                # A deletion that a power cut undoes costs a duplicate, which the store knows.
                with file.relaxed(), file.transaction():
                    file.delete(confirmed)
                    file.count_refusal(refused)
            except BaseException:
                self.confirmed.extend(confirmed)
                self.refused.extend(refused)
                self.released.extend(released)
                raise
            self._claimed.difference_update(confirmed)
        if refused:
            aside = file.rows - file.waiting()
            if aside > self._aside:
                extra = {"event": "event.set_aside", "events": aside}
                logger.warning("event.set_aside events=%d: refused %d times", aside, REFUSALS, extra=extra)
            self._aside = aside
        for ticket in released:
            if not ticket.decided:
                self._claimed.discard(ticket.row)
                self._cursors[ticket.rank] = min(self._cursors[ticket.rank], ticket.row - 1)

    def _count(self, file: SpoolFile) -> None:
        self.waiting = file.rows - self._aside
        if self._lock is not None and self._noted != file.by_rank:
            self._noted = file.by_rank.copy()
            self._lock.note(self._noted)

    def take(self, lanes: frozenset[Lane]) -> list[Ticket]:
        """The next events that fit one message, of the most severe lane that has any."""
        file = self._file
        if file is None:
            return []
        for rank in _RANKS:
            if ErrorSeverity.from_rank(rank).lane in lanes:
                rows = file.batch(rank, self._cursors[rank], self._claimed)
                if rows:
                    return self._tickets(file, rows)
        return []

    def _tickets(self, file: SpoolFile, rows: list[Row]) -> list[Ticket]:
        tickets, damaged = [], []
        for row in rows:
            self._cursors[row.rank] = row.row
            record = spool_record.unpack(row.record)
            if record is None:
                damaged.append(row.row)
                continue
            ticket = Ticket(
                event_id=record.event_id,
                body=record.body,
                lane=ErrorSeverity.from_rank(row.rank).lane,
                rank=row.rank,
                routing_key=record.routing_key,
                state=SPOOLED,
            )
            ticket.row = row.row
            tickets.append(ticket)
        if damaged:
            with file.transaction():
                lost = file.delete(damaged)
            self._buffer.lose_spooled(LossReason.SPOOL_CORRUPT, events=lost)
            self._count(file)
        self._claimed.update(ticket.row for ticket in tickets)
        return tickets

    def _adopt(self, file: SpoolFile) -> None:
        """Copy some rows of a dead process's file into ours, and delete it once all are."""
        if self._adopter is None:
            if self._clock() < self.adopt_at:
                return
            lock = next(iter(self._directory.orphans(self._service)), None)
            if lock is None:
                self.adopt_at = self._clock() + ADOPT_SECONDS
                return
            self._adopter = Adopter(self._directory, lock)
        adopter = self._adopter
        try:
            rows = adopter.read()
            if rows and not file.has_room([(rank, record) for rank, _, record in rows]):
                # What stands in the way is published first; until then the other file keeps its own.
                adopter.close()
                self._adopter = None
                self.adopt_at = self._clock() + ADOPT_SECONDS
                return
            if rows:
                with file.transaction():
                    numbers = file.append([(rank, record) for rank, _, record in rows])
                    file.set_refusals((row, n) for row, (_, n, _) in zip(numbers, rows, strict=True) if n)
                self._aside = file.rows - file.waiting()
                self._buffer.adopt(events=len(rows))
                return
        except (sqlite3.Error, OSError):
            adopter.close()
            self._adopter = None
            self.adopt_at = self._clock() + ADOPT_SECONDS
            raise
        self._adopter = None
        adopter.finish()
        if adopter.missing:
            self._buffer.adopt(events=adopter.missing)
            self._buffer.lose_spooled(LossReason.SPOOL_CORRUPT, events=adopter.missing)

    def abandon_file(self) -> None:
        """Leave a damaged file to the next adoption, which is ours and begins now."""
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        if file is None or lock is None:
            return
        self._buffer.adopt(events=-file.rows)
        with contextlib.suppress(sqlite3.Error):
            file.close()
        lock.release(remove=False)
        self._claimed.clear()
        self.originals.clear()
        for waiting in (self.confirmed, self.refused, self.released):
            waiting.clear()
        self._cursors = dict.fromkeys(_RANKS, 0)
        self._aside = self.waiting = 0
        self.adopt_at = 0.0

    def close(self) -> None:
        """Close the file, and remove it when it is empty."""
        if self._adopter is not None:
            self._adopter.close()
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        if file is None or lock is None:
            return
        with contextlib.suppress(sqlite3.Error):
            is_empty = not file.rows
            file.close()
            if is_empty:
                self._directory.remove(lock)
                return
        lock.release(remove=False)

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        if self._file is not None:
            # SQLite would checkpoint, and delete, the parent's WAL when the last reference goes.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._file.connection))
        if self._adopter is not None:
            self._adopter.leak()
        if self._lock is not None:
            self._lock.release(remove=False)  # the parent's descriptor keeps it


def drained(queue: "deque[T]") -> "list[T]":
    """What lies in a queue now, taken out; others may put more in meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]
