"""The client's one critical section: what its threads share is changed in here, and nothing is waited for.

A signal's handler or a destructor may hand over an error at any moment, also in here. With a lock for each
part, two threads that were interrupted so could each hold what the other waits for; with one that is left
without waiting for anything, nobody can. Hence two rules for what is done inside:

- no other lock, no log line (its handlers have locks), no start of a thread, no import, no call of what is
  not ours;
- an error that comes by an interruption is set aside (``Deferred``), and another thread hands it over.
"""

import os
import threading
from typing import Final


class CriticalSection:
    """``with SECTION.lock:`` enters it."""

    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()

    def is_ours(self) -> bool:
        """True if the calling thread is inside, so that the call comes from an interruption."""
        # What `threading.Condition` asks of a lock too: a mark of our own would come a step after the lock.
        owned: bool = self.lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        return owned

    def forget(self) -> None:
        """Start anew in a forked child: a thread that was inside stayed with the parent."""
        # Not acquired before a fork, as logging's locks are: a thread that holds one may wait for this.
        self.lock = threading.RLock()


SECTION: Final = CriticalSection()
"""The process's own: with one for each manager, two managers could wait for each other."""

os.register_at_fork(after_in_child=SECTION.forget)
