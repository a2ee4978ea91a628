"""The durable queue on disk: one thread that writes what the broker does not take soon enough.

While anything is in the buffer the thread looks into it when the oldest may be due. What is neither confirmed
nor spooled by then goes to disk in one transaction, no matter who else waits for it; what is confirmed later
is deleted. The caller's path is not longer for it, and a blocked event loop does not stop it.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from faultwire.process.critical_section import SECTION
from faultwire.process.exit import register_spool, unregister_spool
from faultwire.process.own_thread import OwnThread
from faultwire.process.private_directory import slug_of
from faultwire.queue.bell import Bell
from faultwire.queue.buffer import Buffer
from faultwire.queue.directory import SpoolDirectory
from faultwire.queue.file import SpoolLimit, is_corrupt
from faultwire.queue.fork import LEAKED, SPOOLS
from faultwire.queue.keeper import SpoolKeeper, drained
from faultwire.queue.recovery import ADOPT_SECONDS
from faultwire.queue.ticket import CONFIRMED, SPOOLED, Ticket
from faultwire_shared.event import Lane

POLL_SECONDS: Final = 0.005
RETRY_SECONDS: Final = 5.0
"""After a failure of the disk, until it is tried again."""
_IDLE_POLLS: Final = 100
BEHIND_EVENTS: Final = 200
"""So many that wait for the thread are a flood, to which it may be losing the race for Python's lock."""
BEHIND_SECONDS: Final = 0.002
GIVE_WAY_SECONDS: Final = 0.0001
HERE_SECONDS: Final = 0.05
"""Between two writes of the threads that hand events over, where the system gives no thread for it."""
BUSY_SECONDS: Final = 0.5
"""The longest that one of them waits for another."""
LOOK_SECONDS: Final = 0.02
"""Between two looks at whether the thread is still there, by who waits for it at the end."""

logger: logging.Logger = logging.getLogger("faultwire")


class Spool:
    """The spool of one manager. Its file belongs to its thread; everything here may be called from any.

    ``on_rows`` is called in the thread when there is something to publish.
    """

    def __init__(
        self,
        path: str,
        service: str,
        buffer: Buffer,
        *,
        limit: SpoolLimit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_rows: Callable[[], None] | None = None
        self._directory = SpoolDirectory(path)
        self._service = slug_of(service)
        self._buffer = buffer
        self._limit = limit or SpoolLimit()
        self._clock = clock
        self._keeper = SpoolKeeper(
            self._directory, self._service, self._buffer, limit=self._limit, clock=self._clock
        )
        self._thread: OwnThread | None = None
        self.bell: Bell = Bell()
        """Has the thread look at once for what has become due."""
        self.turning: threading.Lock = threading.Lock()
        self._idle = True
        self._gave_way_at = 0.0
        self._asked: deque[Ticket] = deque()
        self._takes: deque[Callable[[], None]] = deque()
        self._flushes: deque[Callable[[], None]] = deque()
        self._ending = False
        self._has_ended = False
        self._said_alone = False
        self._wrote_here_at = 0.0
        self._broken_until = 0.0
        self._said_broken = False

    @property
    def waiting(self) -> int:
        """Events on disk that may be published, be they under way or not."""
        return self._keeper.waiting

    def start(self) -> None:
        """Start the thread; it opens the file, and adopts what dead processes left."""
        if self._thread is None:
            self._start_thread()

    def _start_thread(self) -> None:
        thread = OwnThread("faultwire spool", self._run)
        with SECTION.lock:
            if self._thread is not None or self._ending:
                return
            self._thread = thread
        register_spool(self)
        SPOOLS.add(self)
        if not thread.start():  # it is tried again
            SPOOLS.discard(self)
            self._thread = None
            self._idle = True
            self._do_without_thread()

    def _do_without_thread(self) -> None:
        """Write in the thread that asks; in a flood not each time, as the rest is written with the next."""
        if not self._said_alone:
            self._said_alone = True
            logger.warning(
                "spool.without_thread: the system gives none; events are written where they are handed over",
                extra={"event": "spool.without_thread"},
            )
        now = self._clock()
        if self._asked or self._flushes or now - self._wrote_here_at > HERE_SECONDS:
            self._write_here(BUSY_SECONDS)
            self._wrote_here_at = self._clock()

    def _write_here(self, seconds: float, *, close: bool = False) -> None:
        """Write everything in this thread, once nobody else is at it, which is waited for so long."""
        if not self._buffer.held and not self._keeper.is_open and not self._flushes:
            return
        if not self.turning.acquire(timeout=max(0.0, seconds)):
            return
        try:
            self._take_turn(ending=True)
            if close:
                self._keeper.close()
        finally:
            self.turning.release()

    def notice(self) -> None:
        """Say that the buffer holds something."""
        if self._idle:
            self._rouse()
        elif self._buffer.held > BEHIND_EVENTS:
            self._give_way()

    def _rouse(self) -> None:
        self._idle = False
        try:
            self.start()
            if self._thread is not None:
                self.bell.ring()
        except BaseException:
            self._idle = True  # or nobody would start it any more
            raise

    def _give_way(self) -> None:
        """Let the thread have Python's lock for once, in a flood.

        A host that lets go of the lock at every turn of its loop, and takes it back before any thread wakes,
        keeps it for seconds: each time that it is free a waiting thread starts its 5 ms anew. Measured: of
        10,000 errors in a loop, a third found no room in memory while the disk had nothing to do.
        """
        now = self._clock()
        if now - self._gave_way_at > BEHIND_SECONDS:
            self._gave_way_at = now
            time.sleep(GIVE_WAY_SECONDS)

    def ask(self, ticket: Ticket) -> None:
        """Write this event now, regardless of its age."""
        self._asked.append(ticket)
        self._rouse()

    def save(self, ticket: Ticket, seconds: float) -> None:
        """See that this event is on disk, within ``seconds``: by the thread, or here once that has ended."""
        deadline = time.monotonic() + seconds
        self.ask(ticket)
        while (
            not (ticket.answered or self._thread is None or self._has_ended) and time.monotonic() < deadline
        ):
            ticket.wait_blocking(LOOK_SECONDS, _is_answered)
        if not ticket.answered:
            self._write_here(deadline - time.monotonic())

    def confirm(self, tickets: Iterable[Ticket]) -> None:
        """Delete what the other side has."""
        rows = [ticket.row for ticket in tickets if ticket.row]
        if rows:
            for row in rows:
                original = self._keeper.originals.get(row)
                if original is not None:
                    original.settle(CONFIRMED)
            self._keeper.confirmed.extend(rows)
            self.bell.ring()

    def release(self, tickets: Iterable[Ticket]) -> None:
        """Give back what was under way and is not confirmed."""
        spooled = [ticket for ticket in tickets if ticket.state is SPOOLED]
        if spooled:
            self._keeper.released.extend(spooled)
            self.bell.ring()

    def refuse(self, ticket: Ticket) -> None:
        """Count a refusal; a row that is refused again and again is set aside."""
        if ticket.row:
            self._keeper.refused.append(ticket.row)

    async def take(self, lanes: Iterable[Lane]) -> list[Ticket]:
        """The next events that fit one message, of the most severe lane that has any; they are claimed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Ticket]] = loop.create_future()
        wanted = frozenset(lanes)

        def answer() -> None:
            tickets = self._take(wanted)

            def resolve() -> None:
                if future.done():
                    self.release(tickets)
                else:
                    future.set_result(tickets)

            try:
                loop.call_soon_threadsafe(resolve)
            except RuntimeError:  # the loop closed while its answer was found
                self.release(tickets)

        self._takes.append(answer)
        self.bell.ring()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # the answer and the cancellation crossed
                self.release(future.result())
            raise

    def flush(self, done: Callable[[], None]) -> None:
        """Write everything that the buffer holds; ``done`` is called in the thread, also when it failed."""
        self._flushes.append(done)
        self.start()
        self.bell.ring()

    def close(self, seconds: float) -> None:
        """Flush, close the file and end the thread, in at most ``seconds``; blocks."""
        with SECTION.lock:
            self._ending = True
        self.bell.ring()
        if self._thread is not None:
            self._thread.join(seconds)
        else:
            self._write_here(seconds, close=True)
        unregister_spool(self)

    def leak(self) -> None:
        """In a forked child: the parent's connection is neither used nor closed here."""
        self._keeper.leak()
        LEAKED.append(self._keeper)

    # -- the thread --

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._has_ended = True
            SPOOLS.discard(self)

    def _work(self) -> None:
        polls = 0
        while True:
            self.bell.wait(self._pause(polls))
            ending = self._ending
            if not ending and self._is_roused_for_nothing():
                polls = 0 if self._buffer.held else polls + 1
                continue
            with self.turning:
                self._take_turn(ending=ending)
                if ending:
                    self._keeper.close()
                    return
            polls = 0 if self._buffer.held else polls + 1

    def _is_roused_for_nothing(self) -> bool:
        """True if nobody asks for anything and nothing is due: the caller has Python's lock back at once."""
        return not (self._asked or self._flushes or self._takes) and self._keeper.leisure() > 0.0

    def _take_turn(self, *, ending: bool) -> None:
        try:
            self._turn(ending=ending)
        except Exception:
            # A mistake in here must not end the host's only safe place.
            logger.warning("spool.failed", extra={"event": "spool.failed"}, exc_info=True)
            self._broken_until = self._clock() + RETRY_SECONDS

    def _pause(self, polls: int) -> float:
        if self._buffer.held or polls < _IDLE_POLLS or self._keeper.confirmed:
            return self._keeper.leisure() or POLL_SECONDS
        self._idle = True
        if self._buffer.held:  # put between the look and the word
            self._idle = False
            return POLL_SECONDS
        wake_at = self._keeper.recovery.at if self._keeper.is_open else self._broken_until
        return min(max(wake_at - self._clock(), POLL_SECONDS), ADOPT_SECONDS)

    def _turn(self, *, ending: bool) -> None:
        flushes, hasty = drained(self._flushes), drained(self._asked)
        everything = ending or bool(flushes)
        try:
            if everything or self._clock() >= self._broken_until:
                self._keeper.work(hasty, everything=everything)
                self._tell_mended()
        except (sqlite3.Error, OSError) as error:
            self._break(error)
        finally:
            for ticket in hasty:
                if not ticket.settled:
                    ticket.turn_away()
            for answer in drained(self._takes):
                answer()
            for done in flushes:
                done()
        if self._keeper.offers and self.on_rows is not None:
            self.on_rows()

    def _take(self, lanes: frozenset[Lane]) -> list[Ticket]:
        try:
            return self._keeper.take(lanes)
        except (sqlite3.Error, OSError) as error:
            self._break(error)
            return []

    def _break(self, error: Exception) -> None:
        if is_corrupt(error) and self._keeper.is_open:
            self._keeper.abandon_file()
            self.bell.ring()
            return
        self._broken_until = self._clock() + RETRY_SECONDS
        if not self._said_broken:
            self._said_broken = True
            extra = {"event": "spool.unavailable", "reason": str(error)}
            logger.warning("spool.unavailable reason=%s; events wait in memory", error, extra=extra)

    def _tell_mended(self) -> None:
        if self._said_broken:
            self._said_broken = False
            logger.info("spool.available", extra={"event": "spool.available"})


def _is_answered(ticket: Ticket) -> bool:
    return ticket.answered
