"""The ways out of a process: what is still in memory goes to disk, and the way out stays the host's own.

The interpreter's end (also by an exception or ``sys.exit``) and a child's of multiprocessing run Python.
SIGTERM's default action runs none, so a handler takes its place that writes and then dies by SIGTERM all the
same. Whatever handler the host sets, before or after, wins. ``os._exit``, SIGKILL and ``exec`` run nothing.
"""

import _thread
import atexit
import os
import signal
import sys
import threading
import time
import weakref
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from faultwire.publish.spool import Spool

EXIT_SECONDS: Final = 2.0
"""For every spool of the process together."""

_live: "weakref.WeakSet[Spool]" = weakref.WeakSet()
_counting: "weakref.WeakSet[Counting]" = weakref.WeakSet()


class Counting(Protocol):
    """What still counts into events that no spool has."""

    def close_windows(self) -> None:
        """Hand over what was counted."""
        ...


def see_off_first(counting: Counting) -> None:
    """Have it hand over what it counts before the spools are flushed."""
    _counting.add(counting)


def see_off(spool: "Spool") -> None:
    """Have the spool closed when the process ends; its thread has just been started."""
    _live.add(spool)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # Its children end by os._exit, which runs this and no atexit.
        util.Finalize(None, _flush_all, exitpriority=0)


def forget(spool: "Spool") -> None:
    """It is closed."""
    _live.discard(spool)


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
    # Not here: the frame that was interrupted may hold the lock that a flush needs.
    # And not by threading, which takes locks of its own.
    _thread.start_new_thread(_flush_and_die, ())


def _flush_and_die() -> None:
    try:
        _flush_all()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _flush_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    _stop_counting()
    waiting = []
    for spool in list(_live):
        done = threading.Event()
        spool.flush(done.set)
        waiting.append(done)
    for done in waiting:
        done.wait(max(0.0, deadline - time.monotonic()))


def _stop_counting() -> None:
    for counting in list(_counting):
        counting.close_windows()


@atexit.register
def _close_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    _stop_counting()
    for spool in list(_live):
        spool.close(max(0.1, deadline - time.monotonic()))
