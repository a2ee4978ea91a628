"""The work of the spool's thread on its file: write, evict, give out, delete, adopt."""

import contextlib
import logging
import sqlite3
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from faultwire.audit.loss import LossReason, Number
from faultwire.process.private_directory import prepare_directory
from faultwire.queue import record as spool_record
from faultwire.queue.adoption import leak_connection
from faultwire.queue.buffer import SWEEP_EVENTS, Buffer
from faultwire.queue.directory import Lock, SpoolDirectory
from faultwire.queue.file import REFUSALS, Row, SpoolFile, SpoolLimit
from faultwire.queue.record import RANKS
from faultwire.queue.recovery import Recovery
from faultwire.queue.ticket import SPOOLED, Ticket, refused
from faultwire_shared.event import ErrorSeverity, Lane
from faultwire_shared.failpoint import failpoint

AGE_SECONDS: Final = 0.015
"""An event not confirmed by then goes to disk as well: the promised window is 50 ms."""
UNDER_WAY_SECONDS: Final = 0.025
"""The same for an event being published: its confirm is worth a little patience."""
DELETE_SECONDS: Final = 0.1
"""Between two deletions of what was confirmed, while there is room: what waits to be written goes first."""
CROWDED_SECONDS: Final = 1.0
"""After an event found no room, until those in memory are tried again."""
EVICTED_AT_ONCE: Final = 10

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("faultwire")


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
        self.waiting: int = 0
        """Events that may be published, be they under way or not."""
        self.recovery: Recovery = Recovery(directory, service, buffer, clock=clock)
        self._directory = directory
        self._service = service
        self._buffer = buffer
        self._limit = limit
        self._clock = clock
        self._file: SpoolFile | None = None
        self._lock: Lock | None = None
        self._claimed: set[int] = set()
        self._cursors = dict.fromkeys(RANKS, 0)
        self._crowded_until = 0.0
        self._delete_at = 0.0
        self._aside = 0
        self._first_row = 1
        self._noted: Counter[int] = Counter()

    @property
    def is_open(self) -> bool:
        """True while there is a file."""
        return self._file is not None

    @property
    def offers(self) -> bool:
        """True if something could be taken that is not under way."""
        return self.waiting > len(self._claimed)

    def work(self, hasty: list[Ticket], *, everything: bool) -> None:
        """Write what is due and do what the news ask for."""
        file = self._opened()
        # First of all: what it deletes makes room, on a full disk too.
        self._tidy(file, everything=everything)
        self._write(file, [*hasty, *self._due(everything=everything)])
        if everything:
            while self._write(file, self._due(everything=True)):
                pass
            self._tidy(file, everything=everything)
        elif self.recovery.work(file):
            self._aside = file.rows - file.waiting()
        self._count(file)

    def _due(self, *, everything: bool) -> list[Ticket]:
        now = self._clock()
        if everything:
            return self._buffer.unsettled(now, most=None)
        if now < self._crowded_until:
            return []
        # Once something found no room, what is less severe must not stand before what would find some.
        most = None if self._crowded_until else SWEEP_EVENTS
        if self._buffer.is_away:
            return self._buffer.unsettled(now, most=most)
        return self._buffer.unsettled(now - AGE_SECONDS, taken_before=now - UNDER_WAY_SECONDS, most=most)

    def leisure(self) -> float:
        """Seconds in which nothing is to be done but what news ask for; 0 where it has to be looked for."""
        has_news = self.confirmed or self.released or self.refused or self._crowded_until
        if self._file is None or has_news or self._buffer.is_away or self._buffer.spooled:
            return 0.0
        now, oldest = self._clock(), self._buffer.oldest_at()
        due = (now if oldest is None else oldest) + AGE_SECONDS
        return max(0.0, min(due, self.recovery.at) - now)

    def _opened(self) -> SpoolFile:
        if self._file is None:
            self._forget_rows()  # of a file that was closed: at the end, each late event opens another
            prepare_directory(self._directory.path)
            lock = self._directory.claim_new(self._service)
            try:
                self._file = SpoolFile(lock.database, self._limit, first_row=self._first_row)
            except BaseException:
                self._directory.remove(lock)
                raise
            self._lock = lock
            logger.debug("spool.opened", extra={"event": "spool.opened", "sqlite": sqlite3.sqlite_version})
        return self._file

    def _write(self, file: SpoolFile, due: Iterable[Ticket]) -> int:
        """Commit in as many transactions as the WAL's budget asks for, the most severe first; how many."""
        written = wanted = size = 0
        chunk: list[tuple[Ticket, bytes]] = []
        for ticket in sorted(dict.fromkeys(due), key=lambda each: -each.rank):
            body = ticket.body
            if ticket.settled or not body:
                continue
            chunk.append((ticket, spool_record.pack(ticket.event_id, ticket.rank, ticket.routing_key, body)))
            wanted += 1
            size += len(chunk[-1][1])
            if size >= file.limit.wal_bytes // 4:
                written += self._commit(file, chunk)
                chunk, size = [], 0
        if chunk:
            written += self._commit(file, chunk)
        if wanted:
            self._crowded_until = self._clock() + CROWDED_SECONDS if written < wanted else 0.0
        return written

    def _commit(self, file: SpoolFile, chunk: list[tuple[Ticket, bytes]]) -> int:
        """Write what finds room; how many that were."""
        evicted: dict[int, Number | None] = {}
        with file.transaction():
            failpoint("spool.begun")
            rows: list[int] = []
            if file.has_room([(ticket.rank, record) for ticket, record in chunk]):
                rows += file.append([(ticket.rank, record) for ticket, record in chunk])
            else:
                self._unclaim(self._buffer.leave_to_disk())
                for ticket, record in chunk:
                    evicted |= self._make_room(file, ticket.rank, record)
                    if not file.has_room([(ticket.rank, record)]):
                        break
                    rows += file.append([(ticket.rank, record)])
            self._note_least(file)
            failpoint("spool.written")
        failpoint("spool.committed")
        tickets = [ticket for ticket, _ in chunk[: len(rows)]]
        for ticket, row in zip(tickets, rows, strict=True):
            ticket.row = row
            self.originals[row] = ticket
        moved = self._buffer.move_to_spool(tickets)
        self._claimed.update(ticket.row for ticket in (*moved.kept, *moved.late))
        self.confirmed.extend(ticket.row for ticket in moved.late)
        self.released.extend(moved.left)
        self._lose(file, evicted, LossReason.SPOOL_EVICTED)
        return len(rows)

    def _make_room(self, file: SpoolFile, rank: int, record: bytes) -> dict[int, Number | None]:
        """Evict events of less severity, the least severe and oldest first; their rows with their numbers."""
        evicted: dict[int, Number | None] = {}
        while not file.has_room([(rank, record)]):
            least = file.least(rank, EVICTED_AT_ONCE + len(self._claimed))
            victims = [row for row in least if row not in self._claimed][:EVICTED_AT_ONCE]
            if not victims:
                break
            evicted.update(zip(victims, map(spool_record.number_in, file.records(victims)), strict=True))
            file.delete(victims)
        return evicted

    def _lose(self, file: SpoolFile, rows: Mapping[int, Number | None], reason: LossReason) -> None:
        """Count rows that are gone, and tell those who still ask for them."""
        if not rows:
            return
        self._buffer.lose_spooled(reason, events=len(rows), numbers=rows.values())
        for row in rows:
            original = self.originals.pop(row, None)
            if original is not None:
                original.settle(refused(reason.value))
        self._aside = file.rows - file.waiting()

    def _deletes(self, *, everything: bool) -> bool:
        now = self._clock()
        if now < self._delete_at and not everything and not self._crowded_until:
            return False
        self._delete_at = now + DELETE_SECONDS
        return True

    def _tidy(self, file: SpoolFile, *, everything: bool) -> None:
        """Delete what was confirmed, note what was refused, and let go of what came back."""
        released, refused = drained(self.released), drained(self.refused)
        confirmed = drained(self.confirmed) if refused or self._deletes(everything=everything) else []
        if confirmed or refused:
            try:
                # A deletion that a power cut undoes costs a duplicate, which the store knows.
                with file.relaxed(), file.transaction():
                    file.delete(confirmed)
                    file.count_refusal(refused)
                    self._note_least(file)
                    failpoint("spool.confirmed")
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
        self._unclaim(released)

    def _unclaim(self, tickets: Iterable[Ticket]) -> None:
        """Let rows be given out again, or evicted: the publisher no longer has them."""
        for ticket in tickets:
            if not ticket.decided:
                self._claimed.discard(ticket.row)
                self._cursors[ticket.rank] = min(self._cursors[ticket.rank], ticket.row - 1)

    def _note_least(self, file: SpoolFile) -> None:
        """Before a commit: the note may say less than there is, never more, wherever a kill comes between."""
        least = self._noted & file.by_rank
        if self._lock is not None and least != self._noted:
            self._lock.note(least)
            self._noted = least

    def _count(self, file: SpoolFile) -> None:
        self.waiting = file.rows - self._aside
        if self._lock is not None and self._noted != file.by_rank:
            noted = file.by_rank.copy()
            self._lock.note(noted)
            self._noted = noted

    def take(self, lanes: frozenset[Lane]) -> list[Ticket]:
        """The next events that fit one message, of the most severe lane that has any."""
        file = self._file
        if file is None:
            return []
        for rank in RANKS:
            if ErrorSeverity.from_rank(rank).lane in lanes:
                rows = file.batch(rank, self._cursors[rank], self._claimed)
                if rows:
                    return self._tickets(file, rows)
        return []

    def _tickets(self, file: SpoolFile, rows: list[Row]) -> list[Ticket]:
        tickets: list[Ticket] = []
        damaged: list[int] = []
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
                file.delete(damaged)
                self._note_least(file)
            self._lose(file, dict.fromkeys(damaged), LossReason.SPOOL_CORRUPT)
            self._count(file)
        self._claimed.update(ticket.row for ticket in tickets)
        return tickets

    def abandon_file(self) -> None:
        """Give a damaged file to the heir, which is ours; a new one is begun, with numbers of its own."""
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        if file is None or lock is None:
            return
        # Confirms of the old rows may still come; no row of the new file must answer to their numbers.
        self._first_row = file.next_row
        self._forget_rows()
        self._aside = self.waiting = 0
        self._buffer.seek_spooled(self._first_row)
        with contextlib.suppress(sqlite3.Error):
            file.close()
        self.recovery.keep(lock)

    def _forget_rows(self) -> None:
        self._claimed.clear()
        self.originals.clear()
        for waiting in (self.confirmed, self.refused, self.released):
            waiting.clear()
        self._cursors = dict.fromkeys(RANKS, 0)
        self._noted = Counter()

    def close(self) -> None:
        """Close the file, and remove it when it is empty."""
        self.recovery.close()
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        if file is None or lock is None:
            return
        self._first_row = file.next_row
        is_empty = not file.rows
        with contextlib.suppress(sqlite3.Error):
            file.close()
        if is_empty:
            self._directory.remove(lock)
        else:
            lock.release(remove=False)

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        self.recovery.leak()
        if self._file is not None:
            leak_connection(self._file.connection)
        if self._lock is not None:
            self._lock.release(remove=False)  # the parent's descriptor keeps it


def drained(queue: "deque[T]") -> "list[T]":
    """Take out all that is in a queue now; others may put more in meanwhile."""
    return [queue.popleft() for _ in range(len(queue))]
