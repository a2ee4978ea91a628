"""A fork beside the spools' threads: none is in the midst of SQLite then, and the child leaves them alone."""

import os
import threading
import time
from typing import Final, Protocol

from faultwire.queue.adoption import prepare_to_leak

FORK_SECONDS: Final = 1.0


class Forked(Protocol):
    """A spool whose thread runs."""

    turning: threading.Lock
    """Held while its file is worked on."""

    def leak(self) -> None:
        """In a forked child: neither use nor close what is the parent's."""
        ...


SPOOLS: Final[set[Forked]] = set()
"""Spools whose thread runs: while it does the file may be open, even if nobody else knows the spool."""
LEAKED: Final[list[object]] = []
"""The parents', in a forked child."""
_held: Final[list[threading.Lock]] = []


def _before_fork() -> None:
    # A child would inherit SQLite's own mutexes as they are: one that a thread of the parent holds at this
    # moment would never be free there. The bound is for a disk that hangs: a risk is better than a halt.
    deadline = time.monotonic() + FORK_SECONDS
    locks = [spool.turning for spool in list(SPOOLS)]
    if locks:
        prepare_to_leak()
    _held.extend(lock for lock in locks if lock.acquire(timeout=max(0.0, deadline - time.monotonic())))


def _after_fork() -> None:
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    _after_fork()
    while SPOOLS:
        SPOOLS.pop().leak()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
