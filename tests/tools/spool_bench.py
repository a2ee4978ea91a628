"""A spool with its buffer and nothing else: no publisher takes its events away."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from faultwire.audit.loss import Losses, LossReason
from faultwire.queue.buffer import LIMIT, Buffer, BufferLimit
from faultwire.queue.file import SpoolLimit
from faultwire.queue.spool import Spool
from faultwire.queue.ticket import CONFIRMED, Ticket
from faultwire_shared.event import ErrorSeverity, Lane

SECONDS: Final = 30.0
LOW, MEDIUM, HIGH, CRITICAL = ErrorSeverity


class SpoolBench:
    """Hands events over, and waits for what becomes of them."""

    def __init__(
        self,
        directory: Path,
        *,
        limit: SpoolLimit | None = None,
        memory: BufferLimit = LIMIT,
        service: str = "shop",
    ) -> None:
        self.directory = directory
        self.handed = 0
        self.losses = Losses()
        self.buffer = Buffer(self.losses, memory)
        self.spool = Spool(str(directory), service, self.buffer, limit=limit)

    def hand(
        self, severity: ErrorSeverity = MEDIUM, *, body: bytes = b"{}", event_id: str = "", wait: bool = True
    ) -> Ticket:
        """Hand one event over; with ``wait`` until it is on disk, or the spool said no."""
        self.handed += 1
        ticket = Ticket(
            event_id=event_id or f"error_20261123_{self.handed:016d}",
            body=body,
            lane=severity.lane,
            rank=severity.rank,
            routing_key=f"event.{severity.value}.system.shop",
        )
        if self.buffer.put(ticket):
            if wait:
                self.spool.ask(ticket)
                until(lambda: ticket.answered)
            else:
                self.spool.notice()
        return ticket

    def flush(self) -> None:
        """Wait until the spool has had everything, and has noted how much that is."""
        until(lambda: not self.buffer.held and self._is_noted())

    def _is_noted(self) -> bool:
        keeper = self.spool._keeper
        return keeper._file is None or keeper._noted == keeper._file.by_rank

    def confirm(self, ticket: Ticket) -> None:
        """Do as a publisher does whose message was confirmed."""
        self.buffer.settle(ticket, CONFIRMED)
        self.spool.confirm([ticket])

    def publish(self, events: int) -> list[Ticket]:
        """Take so many from the disk and confirm them, as a publisher does; in the order they came."""
        return asyncio.run(self._publish(events))

    async def _publish(self, events: int) -> list[Ticket]:
        published: list[Ticket] = []
        async with asyncio.timeout(SECONDS):
            while len(published) < events:
                for ticket in await self.spool.take(Lane):
                    self.confirm(ticket)
                    published.append(ticket)
        return published

    def adds_up(self) -> bool:
        """Whether every event is somewhere, and in one place."""
        figures = self.buffer.figures()
        known = figures.confirmed + figures.spooled + figures.held + sum(figures.lost.values())
        return self.handed + figures.adopted == known

    def close(self) -> None:
        """End as a manager does: what is left in memory is counted."""
        self.spool.close(20)
        self.buffer.abandon(LossReason.SHUTDOWN)


@contextmanager
def spooling(
    directory: Path, *, limit: SpoolLimit | None = None, memory: BufferLimit = LIMIT, service: str = "shop"
) -> Iterator[SpoolBench]:
    """A spool in the directory, closed at the end."""
    bench = SpoolBench(directory, limit=limit, memory=memory, service=service)
    try:
        yield bench
    finally:
        bench.close()


def until(condition: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.001)


def leave_orphan(source: Path, directory: Path, *, name: str = "shop-1-00000000") -> Path:
    """Copy a running spool's only file as SIGKILL would leave it; the database's path."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (database,) = source.glob("*.db")
    left = directory / f"{name}.db"
    for path in (database, Path(f"{database}-wal"), database.with_suffix(".lock")):
        if path.exists():
            shutil.copyfile(path, directory / path.name.replace(database.stem, name))
    for path in directory.iterdir():
        path.chmod(0o600)
    return left


def leave_service(place: Path, service: str, *, low: int, critical: int = 0) -> Path:
    """Leave a dead process's file in a directory of its service, below ``place / "spools"``; its path."""
    with spooling(place / "source" / service, service=service) as bench:
        for severity, count in ((LOW, low), (CRITICAL, critical)):
            for _ in range(count):
                bench.hand(severity, wait=False)
        bench.flush()
        with bench.spool.turning:
            name = f"{service}-1-00000000"
            return leave_orphan(place / "source" / service, place / "spools" / service, name=name)


def is_owned(lock: Path) -> bool:
    """Whether a process holds the lock."""
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
