"""The work of the spool's thread: the client's file, for events that were answered and are never evicted."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from faultwire.audit.loss import LossReason
from faultwire.process.private_directory import prepare_directory
from faultwire.queue.directory import Lock, SpoolDirectory
from faultwire.queue.file import SpoolFile, SpoolLimit, is_corrupt
from faultwire.queue.record import Record, pack, unpack
from faultwire.queue.recovery import ADOPT_SECONDS, Recovery
from faultwire_consumer.gateway.keeping.account import SpoolAccount
from faultwire_shared.failpoint import failpoint

SERVICE: Final = "faultwire-gateway"
"""In the names of the files, so that any gateway's heir finds them and a client's never does."""

Packed = list[tuple[int, bytes]]
"""Ranks and records."""


class SpooledRecord(Struct, frozen=True):
    """An event on disk, with its row."""

    row: int
    record: Record


class GatewayFile:
    """One file at a time in a directory, and those that others left behind. Of one thread, and blocking.

    Its methods may raise ``sqlite3.Error`` and ``OSError``; what was not done then was not done at all.
    """

    def __init__(
        self, directory: str, limit: SpoolLimit, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = SpoolDirectory(directory)
        self._limit = limit
        self._account = SpoolAccount()
        self._recovery = Recovery(self._directory, SERVICE, self._account, clock=clock)
        self._file: SpoolFile | None = None
        self._lock: Lock | None = None
        self._noted: Counter[int] = Counter()
        self._clock = clock
        self._first_row = 1
        self._look_at = 0.0

    @property
    def rows(self) -> int:
        """Events on disk that are not passed on yet."""
        return self._file.rows if self._file is not None else 0

    def write(self, requests: Sequence[Sequence[Record]]) -> list[bool]:
        """Put events on disk, a request's all or none; return for each whether it found room."""
        file = self._opened()
        answers: list[bool] = []
        for group in _within_bound([_packed(request) for request in requests], file.limit.wal_bytes // 4):
            with file.transaction():
                failpoint("gateway.spooling")
                answers += [self._append(file, packed) for packed in group]
            failpoint("gateway.spooled")
        self._note(file)
        return answers

    def take(self, rank: int) -> list[SpooledRecord]:
        """Return the oldest events of a rank that fit one message; they stay until they are deleted."""
        if self._file is None:
            return []
        taken, damaged = [], []
        for found in self._file.batch(rank, 0):
            record = unpack(found.record)
            if record is None:
                damaged.append(found.row)
            else:
                taken.append(SpooledRecord(found.row, record))
        if damaged:
            self.delete(damaged)
            self._account.lose_spooled(LossReason.SPOOL_CORRUPT, events=len(damaged))
        return taken

    def delete(self, rows: Sequence[int]) -> None:
        """Forget events that are kept elsewhere now. A power cut that undoes it costs a duplicate."""
        file = self._opened()
        with file.relaxed(), file.transaction():
            file.delete(rows)
            failpoint("gateway.deleted")
            self._note_least(file)
        self._note(file)

    def refuse(self, rows: Sequence[int]) -> int:
        """Count a refusal of events; return how many are set aside by now, to stay on disk untried."""
        file = self._opened()
        with file.relaxed(), file.transaction():
            file.count_refusal(rows)
        return file.rows - file.waiting()

    def inherit(self) -> None:
        """Copy a chunk of what another process left behind, if there is any."""
        if self._file is None and not self._finds_heritage():
            return
        self._recovery.work(self._opened())
        self._note(self._opened())

    def recover(self, error: Exception) -> bool:
        """Begin a new file where ours is damaged, and look for its events; False where it is not."""
        if not is_corrupt(error) or self._file is None or self._lock is None:
            return False
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        self._account.seek(file.rows)
        with suppress(sqlite3.Error):
            file.close()
        # Rows of the old file may still be deleted; none of the new one must answer to their numbers.
        self._first_row = file.next_row
        self._recovery.keep(lock)
        self._opened()
        return True

    def close(self) -> None:
        """Close the file, and remove it when it is empty."""
        self._recovery.close()
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        if file is None or lock is None:
            return
        is_empty = not file.rows
        with suppress(sqlite3.Error):
            file.close()
        if is_empty:
            self._directory.remove(lock)
        else:
            lock.release(remove=False)

    def _opened(self) -> SpoolFile:
        if self._file is None:
            prepare_directory(self._directory.path)
            lock = self._directory.claim_new(SERVICE)
            try:
                self._file = SpoolFile(lock.database, self._limit, first_row=self._first_row)
            except BaseException:
                self._directory.remove(lock)
                raise
            self._lock, self._noted = lock, Counter()
        return self._file

    def _append(self, file: SpoolFile, packed: Packed) -> bool:
        if not file.has_room(packed):
            return False
        file.append(packed)
        return True

    def _finds_heritage(self) -> bool:
        """Look into the directory now and then: without anything to inherit it needs no file of ours."""
        now = self._clock()
        if now < self._look_at:
            return False
        self._look_at = now + ADOPT_SECONDS
        return any(one.service == SERVICE and not one.is_owned for one in self._directory.entries())

    def _note_least(self, file: SpoolFile) -> None:
        """Before a commit: the note may say less than there is, never more, wherever a kill comes between."""
        least = self._noted & file.by_rank
        if self._lock is not None and least != self._noted:
            self._lock.note(least)
            self._noted = least

    def _note(self, file: SpoolFile) -> None:
        if self._lock is not None and self._noted != file.by_rank:
            self._noted = file.by_rank.copy()
            self._lock.note(self._noted)


def _packed(request: Sequence[Record]) -> Packed:
    return [(one.rank, pack(one.event_id, one.rank, one.routing_key, one.body)) for one in request]


def _within_bound(requests: Sequence[Packed], most: int) -> list[list[Packed]]:
    """Sort requests into transactions of about ``most`` bytes; a larger one is alone in its."""
    groups: list[list[Packed]] = []
    size = most
    for packed in requests:
        wanted = sum(len(record) for _, record in packed)
        if size + wanted > most:
            groups.append([])
            size = 0
        groups[-1].append(packed)
        size += wanted
    return groups
