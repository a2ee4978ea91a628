"""An event loop in a thread of our own, for hosts that have none, or none that lasts.

The thread is a daemon and is made when it is first needed. A fork takes it away from the child, which makes
one of its own when it needs it.
"""

import asyncio
import encodings.idna  # noqa: F401 - a host's name is looked up with it, see _importing
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

from faultwire.process.critical_section import SECTION
from faultwire.process.own_thread import OwnThread

IMPORT_SECONDS: Final = 10.0
"""The longest that a fork waits for what the thread imports."""
_END_SECONDS: Final = 0.5

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class OwnLoop(asyncio.SelectorEventLoop):
    """A loop that still works while the interpreter ends, when no executor takes anything any more.

    It looks up names and closes files by an executor; then it does so itself, as nobody but us waits for it.
    """

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run it in the executor, or here once no executor takes anything."""
        try:
            return super().run_in_executor(executor, func, *args)
        except RuntimeError:
            done: asyncio.Future[T] = self.create_future()
            try:
                done.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - its awaiter is told, as by an executor
                done.set_exception(error)
            return done


class LoopThread:
    """The loop and its thread. Everything here may be called from any thread, also by a signal's handler."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: OwnThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_running(self) -> bool:
        """True while there is a thread; one that a fork left behind does not count."""
        return self._thread is not None

    @property
    def is_current(self) -> bool:
        """True on that thread, which must not wait for itself."""
        return self._thread is not None and self._thread.is_current

    def start(self) -> bool:
        """See that there is a thread; False where the system gives none, as when the interpreter ends."""
        if self._thread is not None:
            return True
        loop = OwnLoop()
        thread = OwnThread(self._name, partial(self._run, loop))
        with SECTION.lock:
            is_first = self._thread is None
            if is_first:
                self._loop, self._thread = loop, thread
        if is_first and thread.start():
            return True
        loop.close()
        if is_first:
            self._loop = self._thread = None
        return not is_first

    def post(self, callback: Callable[[], None]) -> None:
        """Call this in the loop, soon."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it ended meanwhile
                loop.call_soon_threadsafe(callback)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T] | None:
        """Run this in the loop; None where there is none."""
        loop = self._loop
        try:
            return None if loop is None else asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # it ended meanwhile
            return None
        finally:
            if loop is None or loop.is_closed():
                coroutine.close()

    def stop(self, seconds: float) -> None:
        """End the loop and wait for its thread, for at most ``seconds``."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        self.post(loop.stop)
        if not self.is_current:
            thread.join(seconds)

    def leak(self) -> None:
        """In a forked child: the loop's selector and sockets are the parent's, and are never closed here."""
        _leaked.append((self._thread, self._loop))
        self._thread = self._loop = None

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
            _end(loop)
        finally:
            with SECTION.lock:
                if self._loop is loop:
                    self._loop = self._thread = None


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Let what still runs in the loop come to its end, and close it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_END_SECONDS))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


_leaked: list[object] = []
_importing = threading.Lock()


def load(callback: Callable[[], None]) -> None:
    """Call what imports libraries in a thread of ours, while no other thread forks.

    A child that is forked in the middle of an import inherits that module's lock as it is, held by a thread
    that it does not have: its own import of the module would never end.
    """
    with _importing:
        callback()


def _before_fork() -> None:
    global _held  # noqa: PLW0603 - a fork is the process's, and there is one at a time
    _held = _importing.acquire(timeout=IMPORT_SECONDS)


def _after_fork_in_parent() -> None:
    if _held:
        _importing.release()


def _after_fork_in_child() -> None:
    global _importing  # noqa: PLW0603 - as above
    _importing = threading.Lock()


_held = False
os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
