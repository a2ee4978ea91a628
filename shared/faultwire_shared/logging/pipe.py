"""From loggers to the console and a file through a queue: the code that logs never waits for a disk.

A record becomes text in the thread that logs it, so no live object crosses threads; a thread of the
pipe writes.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from msgspec import Struct

from faultwire_shared.logging.handler import Abandonable

WAITING: Final = 10_000
"""Lines that may wait for a slow disk or reader; further ones are dropped, counted and reported."""
WAITING_CHARACTERS: Final = 16 * 1024 * 1024
"""The same, in characters: a line with a trace may be long."""
CLOSE_SECONDS: Final = 2.0

_PLAIN: Final = logging.Formatter("%(message)s")


class Target(Struct):
    """A destination of lines: a handler that writes, and the formatter that makes its text."""

    handler: logging.Handler
    formatter: logging.Formatter
    level: int


class _Written(logging.LogRecord):
    """A record as text, for each target that accepts it."""

    def __init__(self, level: int, lines: Sequence[tuple[logging.Handler, str]]) -> None:
        super().__init__("", level, "", 0, "", None, None)
        self.lines = lines
        self.characters = sum(len(line) for _, line in lines)


class _Mark(logging.LogRecord):
    """A marker that the writing thread reaches when everything before it is written."""

    def __init__(self) -> None:
        super().__init__("", 0, "", 0, "", None, None)
        self.reached = threading.Event()


class _Entrance(QueueHandler):
    """The handler on the loggers, which makes the text and puts it into the queue."""

    def __init__(self, targets: Sequence[Target]) -> None:
        # Not queue.Queue: its lock is not reentrant, and a destructor may log while it is held.
        self.waiting: SimpleQueue[logging.LogRecord] = SimpleQueue()
        super().__init__(self.waiting)
        self.setLevel(min(target.level for target in targets))
        self.setFormatter(targets[0].formatter)  # one of several, for who asks what a line is made by
        self.lost = 0
        self.taken = 0
        """Characters that were put into the queue; the writing thread says how many it has written."""
        self.written: Callable[[], int] = int
        self._reported = 0
        self._targets = targets

    def prepare(self, record: logging.LogRecord) -> "_Written":
        lines = [
            (target.handler, target.formatter.format(record)) for target in self._targets_of(record.levelno)
        ]
        return _Written(record.levelno, lines)

    def enqueue(self, record: logging.LogRecord) -> None:
        if self.waiting.qsize() >= WAITING or self.taken - self.written() >= WAITING_CHARACTERS:
            self.lost += 1
            return
        if self._reported < self.lost:
            self.waiting.put(self._loss(self.lost - self._reported))
            self._reported = self.lost
        self.taken += getattr(record, "characters", 0)
        self.waiting.put(record)

    def _loss(self, count: int) -> logging.LogRecord:
        text = "log.lost count=%d: the lines came faster than they could be written"
        record = logging.LogRecord(__name__, logging.ERROR, "", 0, text, (count,), None)
        lines = [(target.handler, target.formatter.format(record)) for target in self._targets]
        return _Written(record.levelno, lines)

    def _targets_of(self, level: int) -> Sequence[Target]:
        return [target for target in self._targets if level >= target.level]


class _Exit(QueueListener):
    """The writing thread."""

    characters = 0
    """Written so far, of what the entrance had taken."""

    def handle(self, record: logging.LogRecord) -> None:
        if isinstance(record, _Mark):
            record.reached.set()
        elif isinstance(record, _Written):
            for handler, line in record.lines:
                handler.handle(logging.makeLogRecord({"levelno": record.levelno, "msg": line}))
            self.characters += record.characters


class _Upwards(logging.Handler):
    """Shows a record to those handlers of the loggers above that make events, and print nothing.

    The lines of a logger that has a pipe go no further; its errors still become events where the handler for
    that is on the root.
    """

    def __init__(self, above: logging.Logger | None) -> None:
        super().__init__()
        self._above = above

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        current = self._above
        while current is not None:
            for handler in current.handlers:
                if getattr(handler, "makes_events", False) and record.levelno >= handler.level:
                    handler.handle(record)
            current = current.parent if current.propagate else None


class LogPipe:
    """The result of `configure_logging`; usable as a context manager that closes it."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        for target in targets:
            target.handler.setFormatter(_PLAIN)
        self._entrance = _Entrance(targets)
        self._exit = _Exit(self._entrance.waiting)
        self._exit.start()
        self._entrance.written = lambda: self._exit.characters
        self._before: dict[logging.Logger, tuple[int, bool, _Upwards]] = {}
        self._held: list[threading.RLock] = []
        self._closed = False
        _open.add(self)

    @property
    def lost(self) -> int:
        """Number of lines dropped because they came faster than they could be written."""
        return self._entrance.lost

    @property
    def loggers(self) -> Sequence[logging.Logger]:
        """Loggers whose lines come here."""
        return list(self._before)

    def attach(self, logger: logging.Logger, *, level: int) -> None:
        """Take over a logger's lines, from a level on, and keep them from the loggers above it."""
        upwards = _Upwards(logger.parent if logger.propagate else None)
        self._before[logger] = logger.level, logger.propagate, upwards
        logger.setLevel(level)
        logger.propagate = False
        logger.addHandler(self._entrance)
        logger.addHandler(upwards)

    def take_over(self, logger: logging.Logger) -> None:
        """Be the one handler of a logger, for good."""
        logger.handlers[:] = [self._entrance]

    def detach(self, logger: logging.Logger) -> None:
        """Restore a logger as it was; the last one closes the pipe."""
        if logger not in self._before:
            return
        logger.removeHandler(self._entrance)
        level, logger.propagate, upwards = self._before.pop(logger)
        logger.removeHandler(upwards)
        logger.setLevel(level)
        if not self._before:
            self.close()

    def flush(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Wait at most ``timeout`` seconds until all that was logged is written; return True if it is."""
        if self._closed:
            return True
        mark = _Mark()
        self._entrance.waiting.put(mark)
        return mark.reached.wait(timeout)

    def close(self) -> None:
        """Write what waits, within 2 s, restore the loggers and close the file."""
        if self._closed:
            return
        written = self.flush()
        self._closed = True
        for logger in self.loggers:
            self.detach(logger)
        if not written:  # the disk hangs: its thread is a daemon, and nothing waits for it
            for target in self._targets:
                if isinstance(target.handler, Abandonable):
                    target.handler.is_abandoned = True
            return
        self._exit.stop()
        for target in self._targets:
            if isinstance(target.handler, logging.FileHandler):
                target.handler.close()

    def hold(self) -> None:
        """Pause writing before a fork, or a file's lock would stay locked in the child for ever."""
        handlers = [target.handler for target in self._targets]
        locks = [handler.lock for handler in handlers if handler.lock is not None]
        self._held = [lock for lock in locks if lock.acquire(timeout=CLOSE_SECONDS)]

    def release(self) -> None:
        """Resume in the parent after a fork; in the child logging itself frees every handler's lock."""
        for lock in self._held:
            lock.release()

    def restart(self) -> None:
        """Start again in a forked child: threads are not copied, and the parent writes the waiting lines."""
        self._entrance.queue = self._entrance.waiting = SimpleQueue()
        self._entrance.taken = 0
        self._exit = _Exit(self._entrance.waiting)
        self._exit.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_open: "weakref.WeakSet[LogPipe]" = weakref.WeakSet()


def _all(step: Callable[[LogPipe], None]) -> Callable[[], None]:
    def run() -> None:
        for pipe in list(_open):
            step(pipe)

    return run


atexit.register(_all(LogPipe.close))
os.register_at_fork(
    before=_all(LogPipe.hold),
    after_in_parent=_all(LogPipe.release),
    after_in_child=_all(LogPipe.restart),
)
