"""The ways out of a process: what is still in memory goes to disk, and the way out stays the host's own.

The interpreter's end (also by an exception or ``sys.exit``) and a child's of multiprocessing run Python.
SIGTERM's default action runs none, so a handler takes its place that writes and then dies by SIGTERM all the
same. Any handler that the host sets, before or after, wins. ``os._exit``, SIGKILL and ``exec`` run nothing.
"""

import _thread
import atexit
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future  # a host without asyncio never needs it

EXIT_SECONDS: Final = 2.0
"""For every spool of the process together."""
DISK_SECONDS: Final = 0.3
"""Of them for the disk, once the time to publish is over."""


class Leave:
    """The end of this process, from its first step on: what is handed over then is to be on disk at once."""

    __slots__ = ("_flushing", "has_begun")

    def __init__(self) -> None:
        self.has_begun: bool = False
        self._flushing = 0

    @property
    def is_ours(self) -> bool:
        """True in the thread that writes everything at the end, and need not wait for itself."""
        return self._flushing == threading.get_ident()

    def flush_here(self) -> None:
        """Say that this thread is the one."""
        self._flushing = threading.get_ident()

    def forget(self) -> None:
        """Start anew in a forked child."""
        self.has_begun = False
        self._flushing = 0


LEAVE: Final = Leave()
"""The process's own."""


class ClosingSpool(Protocol):
    """A spool with a thread of its own that writes what is in memory to disk."""

    def flush(self, done: Callable[[], None]) -> None:
        """Begin to write all of it; ``done`` is called at the end, also when it failed."""
        ...

    def close(self, seconds: float) -> None:
        """Write all of it and close, in at most ``seconds``."""
        ...


class ClosingPublisher(Protocol):
    """A publisher with a thread of its own that can still publish while the interpreter ends."""

    def depart(self, seconds: float) -> "Future[None] | None":
        """Begin to flush and close, within ``seconds``; None where there is nothing to wait for."""
        ...


class Holder(Protocol):
    """An object that still holds errors that are in no spool."""

    def hand_over(self) -> None:
        """Let go of all that is held."""
        ...


_spools: "weakref.WeakSet[ClosingSpool]" = weakref.WeakSet()
_publishers: "weakref.WeakSet[ClosingPublisher]" = weakref.WeakSet()
_holders: "weakref.WeakSet[Holder]" = weakref.WeakSet()
_lasting: "weakref.WeakSet[Holder]" = weakref.WeakSet()
"""Those of the holders that serve a forked child too; the rest belongs to the process that made it."""
_registered: set[int] = set()
"""The processes of multiprocessing that end by way of this module."""


def register_holder(holder: Holder, *, lasting: bool = False) -> None:
    """Have it hand over what it holds before the spools are flushed; ``lasting`` in forked children too."""
    _holders.add(holder)
    if lasting:
        _lasting.add(holder)


def register_spool(spool: ClosingSpool) -> None:
    """Have the spool closed when the process ends."""
    _spools.add(spool)
    _register_child()


def register_publisher(publisher: ClosingPublisher) -> None:
    """Have it publish what it can when the process ends, before the spools take the rest."""
    _publishers.add(publisher)
    _register_child()


def _register_child() -> None:
    util = sys.modules.get("multiprocessing.util")
    if util is not None and os.getpid() not in _registered:
        # Its children end by os._exit, which runs this and no atexit.
        _registered.add(os.getpid())
        util.Finalize(None, _end_child, exitpriority=0)


def unregister_spool(spool: ClosingSpool) -> None:
    """Leave out a spool that is closed."""
    _spools.discard(spool)


def flush_on_sigterm() -> None:
    """Take the place of SIGTERM's default action, where nobody else has, and only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        with suppress(ValueError):  # a subinterpreter's main thread
            signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(_: int, __: FrameType | None) -> None:
    # The default first: a second SIGTERM, or a kill from the thread, ends the process as if we were not here.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Other threads go on until the end, and are told that what they hand over is safe.
    LEAVE.has_begun = True
    # Not here: the frame that was interrupted may hold the lock that a flush needs.
    # And not by threading, which takes locks of its own.
    try:
        _thread.start_new_thread(_flush_and_die, ())
    except RuntimeError:  # the system gives none: what can be written without those locks is
        _flush_and_die()


def _flush_and_die() -> None:
    LEAVE.flush_here()
    try:
        _flush_all()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _end_child() -> None:
    LEAVE.has_begun = True
    deadline = time.monotonic() + EXIT_SECONDS
    _empty_holders()
    _depart(deadline)
    _flush_spools(deadline)


def _flush_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    _empty_holders()
    _flush_spools(deadline)


def _depart(deadline: float) -> None:
    """All at once, and a little earlier than the deadline: what they could not publish is the spools'."""
    seconds = max(0.1, deadline - time.monotonic() - DISK_SECONDS)
    going = [each.depart(seconds) for each in list(_publishers)]
    for future in going:
        if future is not None:
            # It may be cancelled, or fail as anything does in a process that ends; the spools follow.
            with suppress(Exception):
                future.result(max(0.0, deadline - DISK_SECONDS / 2 - time.monotonic()))


def _flush_spools(deadline: float) -> None:
    waiting = []
    for spool in list(_spools):
        done = threading.Event()
        spool.flush(done.set)
        waiting.append(done)
    for done in waiting:
        done.wait(max(0.0, deadline - time.monotonic()))


def _empty_holders() -> None:
    for holder in list(_holders):
        holder.hand_over()


@atexit.register
def _close_all() -> None:
    # For daemon threads, and for exit hooks that were registered before this one and so run after it.
    LEAVE.has_begun = True
    deadline = time.monotonic() + EXIT_SECONDS
    _empty_holders()
    _depart(deadline)
    for spool in list(_spools):
        spool.close(max(0.1, deadline - time.monotonic()))


def _begin_in_child() -> None:
    """The parent's spools and publishers end with it."""
    _spools.clear()
    _publishers.clear()
    _holders.clear()
    _holders.update(_lasting)
    LEAVE.forget()


os.register_at_fork(after_in_child=_begin_in_child)
