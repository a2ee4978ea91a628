"""The next process of a service looks for files that nobody owns any more, and makes their events its own."""

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from faultwire.audit.loss import LossReason
from faultwire.queue.adoption import AdoptedRow, Adopter
from faultwire.queue.directory import Lock, SpoolDirectory
from faultwire.queue.file import SpoolFile
from faultwire_shared.failpoint import failpoint

ADOPT_SECONDS: Final = 60.0
"""Between two looks for files whose process has died."""
ROOM_SECONDS: Final = 1.0
"""Until it is seen again whether a chunk finds room by now."""

logger: logging.Logger = logging.getLogger("faultwire")


class Inheritance(Protocol):
    """Whoever counts what was found in files, as the client's buffer does."""

    def adopt(self, *, events: int) -> None:
        """Count events of a dead process."""
        ...

    def find_spooled(self, *, events: int) -> None:
        """Count events of our own that lay in a damaged file."""
        ...

    def end_search(self) -> None:
        """Take what was not found until now for lost."""
        ...

    def lose_spooled(self, reason: LossReason, *, events: int) -> None:
        """Count events that cannot be read."""
        ...


class Recovery:
    """Adopts one file at a time, a chunk at each call, so that what is new need not wait for it."""

    def __init__(
        self,
        directory: SpoolDirectory,
        service: str,
        buffer: Inheritance,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.at: float = 0.0
        """The next time that there is something to do, by the clock."""
        self._directory = directory
        self._service = service
        self._buffer = buffer
        self._clock = clock
        self._own: deque[Lock] = deque()
        self._adopter: Adopter | None = None
        self._is_own = False
        self._chunk: list[AdoptedRow] = []
        self._shunned: set[str] = set()

    def keep(self, lock: Lock) -> None:
        """Take our own file, which is damaged, with its lock: nobody else may look for what we count."""
        self._own.append(lock)
        self.at = 0.0

    def work(self, file: SpoolFile) -> bool:
        """Copy one chunk into our file, where anything is to be had; whether a row of it was refused before.

        Raises:
            sqlite3.Error: our file does not take it now; the chunk waits.
        """
        if self._clock() < self.at or not self._has_adopter():
            return False
        if not self._chunk:
            try:
                self._next_chunk()
            except (sqlite3.Error, OSError) as error:
                self._leave(error)
        return bool(self._chunk) and self._copy(file)

    def _has_adopter(self) -> bool:
        if self._adopter is None:
            self._is_own = bool(self._own)
            lock = self._own.popleft() if self._own else self._orphan()
            if lock is None:
                self.at = self._clock() + ADOPT_SECONDS
            else:
                self._adopter = Adopter(self._directory, lock)
        return self._adopter is not None

    def _orphan(self) -> Lock | None:
        for lock in self._directory.orphans(self._service):
            if lock.database not in self._shunned:
                return lock
            lock.release(remove=False)
        self._shunned.clear()
        return None

    def _next_chunk(self) -> None:
        adopter = self._adopter
        if adopter is None:
            return
        self._chunk = adopter.read()
        if self._chunk:
            return
        failpoint("spool.adopted")
        adopter.finish()
        self._adopter = None
        if not self._is_own:
            self._buffer.adopt(events=adopter.missing)
            self._buffer.lose_spooled(LossReason.SPOOL_CORRUPT, events=adopter.missing)
        elif not self._own:
            self._buffer.end_search()

    def _copy(self, file: SpoolFile) -> bool:
        if not file.has_room([(row.rank, row.data) for row in self._chunk]):
            # What stands in the way is published first.
            self.at = self._clock() + ROOM_SECONDS
            return False
        refused = any(row.refusals for row in self._chunk)
        with file.transaction():
            numbers = file.append([(row.rank, row.data) for row in self._chunk])
            pairs = zip(numbers, self._chunk, strict=True)
            file.set_refusals((number, row.refusals) for number, row in pairs if row.refusals)
        failpoint("spool.adopting")
        if self._is_own:
            self._buffer.find_spooled(events=len(self._chunk))
        else:
            self._buffer.adopt(events=len(self._chunk))
        if self._adopter is not None:
            self._adopter.copied(self._chunk)
        self._chunk = []
        self.at = 0.0
        return refused

    def _leave(self, error: Exception) -> None:
        """Our own file is not at fault and goes on; the other is tried again when all have had their turn."""
        if self._adopter is None:
            return
        path = self._adopter.path
        self._shunned.add(path)
        self._adopter.close()
        self._adopter = None
        if self._is_own and not self._own:
            self._buffer.end_search()
        extra = {"event": "spool.not_adopted", "reason": str(error), "path": path}
        logger.warning("spool.not_adopted path=%s reason=%s; tried again later", path, error, extra=extra)

    def close(self) -> None:
        """Leave what is not finished to the next one."""
        if self._adopter is not None:
            self._adopter.close()
            self._adopter = None
        while self._own:
            self._own.popleft().release(remove=False)

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        if self._adopter is not None:
            self._adopter.leak()
        for lock in self._own:
            lock.release(remove=False)
