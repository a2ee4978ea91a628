"""The spool as the gateway's loop sees it: one thread does the disk's work, and requests share its fsyncs."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from faultwire.queue.file import SpoolLimit
from faultwire.queue.record import Record
from faultwire_consumer.gateway.keeping.spool_file import GatewayFile, SpooledRecord
from faultwire_shared.logging.logs import get_logger

TOLD_SECONDS: Final = 60.0

P = ParamSpec("P")
T = TypeVar("T")

log = get_logger("faultwire.gateway")


class SpoolUnavailableError(Exception):
    """The disk does not do what it was asked for; the text says why."""


class SpoolClosedError(SpoolUnavailableError):
    """The gateway has ended."""


class GatewaySpool:
    """Events that were answered and have not gone on yet.

    Args:
        directory: where its file is; several processes may share one, and inherit from each other.
        limit: bounds of what it holds; beyond them nothing is taken, and nothing is ever evicted.
        tell_waiting: is told how many events it holds, whenever that may have changed.
    """

    def __init__(
        self, directory: str, limit: SpoolLimit, *, tell_waiting: Callable[[int], object] = bool
    ) -> None:
        self.directory = directory
        self.why_unavailable = ""
        """Why nothing can be written, by the last attempt; empty when that went well."""
        self._file = GatewayFile(directory, limit)
        self._tell_waiting = tell_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gateway-spool")
        self._pending: list[tuple[Sequence[Record], asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._told_at = float("-inf")
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Number of events that have not gone on yet."""
        return self._file.rows

    async def write(self, records: Sequence[Record]) -> bool:
        """Put the events of one request on disk, with an fsync that it may share with others.

        Returns:
            True once they are there; False if there is no room, or nothing can be written.
        """
        if self._is_closed:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append((records, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_pending())
        # The write goes on when its request is cancelled: what is there twice is stored once.
        return await asyncio.shield(answer)

    async def take(self, rank: int) -> list[SpooledRecord]:
        """Return the oldest events of a rank that fit one message.

        Raises:
            SpoolUnavailableError: they cannot be read now.
        """
        return await self._do(self._file.take, rank)

    async def delete(self, rows: Sequence[int]) -> None:
        """Forget events that have gone on.

        Raises:
            SpoolUnavailableError: they are still there, and will go on once more.
        """
        await self._do(self._file.delete, rows)

    async def refuse(self, rows: Sequence[int]) -> None:
        """Count that events were refused for good; after several times they are left where they are.

        Raises:
            SpoolUnavailableError: it could not be noted.
        """
        aside = await self._do(self._file.refuse, rows)
        if aside:
            log.error("gateway.set_aside", events=aside, path=self.directory)

    async def inherit(self) -> None:
        """Copy a chunk of what a process left behind that died.

        Raises:
            SpoolUnavailableError: not now.
        """
        await self._do(self._file.inherit)

    async def aclose(self) -> None:
        """Write what waits, and close the file; it is left where it holds anything."""
        self._is_closed = True
        if self._writing is not None:
            await asyncio.wait({self._writing})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)

    async def _write_pending(self) -> None:
        while self._pending:
            pending, self._pending = self._pending, []
            try:
                written = await self._do(self._file.write, [records for records, _ in pending])
            except SpoolUnavailableError:
                written = [False] * len(pending)
            for (_, answer), is_kept in zip(pending, written, strict=True):
                if not answer.done():
                    answer.set_result(is_kept)

    async def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._is_closed and self._writing is None:
            raise SpoolClosedError("the gateway has ended")
        loop = asyncio.get_running_loop()
        try:
            done = await loop.run_in_executor(self._thread, lambda: self._try(work, *args, **kwargs))
        except (sqlite3.Error, OSError) as error:
            self._tell(str(error))
            raise SpoolUnavailableError(str(error)) from None
        except RuntimeError:  # the thread has ended
            raise SpoolClosedError("the gateway has ended") from None
        self.why_unavailable = ""
        self._tell_waiting(self.waiting)
        return done

    def _try(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work in the thread; where the file is damaged, once more with a new one."""
        try:
            return work(*args, **kwargs)
        except sqlite3.Error as error:
            if not self._file.recover(error):
                raise
            return work(*args, **kwargs)

    def _tell(self, why: str) -> None:
        self.why_unavailable = why
        now = time.monotonic()
        if now - self._told_at > TOLD_SECONDS:
            self._told_at = now
            log.error("gateway.spool_unavailable", why=why, path=self.directory)
