"""The errors that nobody catches: of the process, its children and threads, its destructors and tasks.

Every hook calls the one that stood before it, even if ours fails: what was printed or logged still is.
"""

import _thread
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from faultwire.capture.ending import is_error
from faultwire.guard import Takes
from faultwire.process.exit import register_holder
from faultwire_shared.event import ErrorSeverity

if TYPE_CHECKING:
    import asyncio  # a host without a loop never needs it

_NAMED: Final = re.compile(
    r"<(?:[a-z-]{1,20} ){1,3}(?P<name>[^<> ]{1,200})(?: of [^<>]{0,200})? at 0x[0-9A-Fa-f]+>"
)
"""An object in the interpreter's own words."""
NOT_ERRORS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
OWN_THREADS: Final = "faultwire "


class Hooks:
    """Hooks that ``install`` has put in place; as a context manager, removed at the end of the block."""

    def __init__(self, errors: Takes) -> None:
        self._errors = errors
        self._hooks: list[_Hook] = []
        self._loops: list[_LoopHook] = []
        self._children: list[_ChildHook] = []

    def watch_process(self) -> None:
        """Report what ends the process, and what ends a child that multiprocessing has started."""
        self._hooks.append(_Hook(sys, "excepthook", self._take_last))
        self._children.append(_ChildHook(self._take_of_child))

    def watch_threads(self) -> None:
        """Report what ends a thread."""
        self._hooks.append(_Hook(threading, "excepthook", self._take_of_thread))

    def watch_unraisable(self) -> None:
        """Report what is raised where it cannot propagate: in a destructor, or a callback from C."""
        unraised = _Unraised(self._errors)
        self._hooks.append(_Hook(sys, "unraisablehook", unraised.take))

    def watch_loop(self, loop: "asyncio.AbstractEventLoop | None" = None) -> None:
        """Report what this event loop is left with: failed callbacks, and tasks that nobody waits for.

        Without a loop, the running one.

        Raises:
            RuntimeError: no loop was given, and none is running.
        """
        if loop is None:
            import asyncio  # noqa: PLC0415 - see above

            loop = asyncio.get_running_loop()
        self._loops.append(_LoopHook(loop, self._take_of_loop))

    def uninstall(self) -> None:
        """Take everything back; a hook that somebody chained to since stays, and does nothing of its own."""
        while self._children:
            self._children.pop().remove()
        while self._loops:
            self._loops.pop().remove()
        while self._hooks:
            self._hooks.pop().remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()

    def _take_last(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None and not _is_asked_for(error):
            self._errors.handle_once(error, ErrorSeverity.CRITICAL, handled=False)

    def _take_of_child(self, error: BaseException, name: str) -> None:
        if not _is_asked_for(error):
            context = {"process": name}
            self._errors.handle_once(error, ErrorSeverity.CRITICAL, context, handled=False)

    def _take_of_thread(self, arguments: Any) -> None:
        error, thread = arguments.exc_value, arguments.thread
        name = "" if thread is None else thread.name
        # A thread of ours that failed would report to itself.
        if error is not None and not _is_asked_for(error) and not name.startswith(OWN_THREADS):
            self._errors.handle_once(error, context={"thread": name}, handled=False)

    def _take_of_loop(self, found: dict[str, Any]) -> None:
        error, message = found.get("exception"), found.get("message")
        if error is not None and _is_asked_for(error):
            return
        context = {"asyncio": message, **_named(found)}
        if error is not None:
            self._errors.handle_once(error, context=context, handled=False)
        else:  # what asyncio and its libraries say so is a leak: a pending task or an open connection
            self._errors.handle_once(str(message), ErrorSeverity.MEDIUM, context, handled=False)


def install(
    errors: Takes,
    *,
    process: bool = True,
    threads: bool = True,
    unraisable: bool = True,
    loop: "asyncio.AbstractEventLoop | None" = None,
) -> Hooks:
    """Report what nobody catches; call it once, early.

    ``KeyboardInterrupt`` and ``SystemExit`` are not errors and pass. An error that somebody handed over
    already makes no second event. What ends the process is critical, and on disk or with the broker before it
    is over, unless the manager was closed by then: make it where it outlives what may fail.

    Args:
        errors: a ``SyncErrorManager`` or an ``ErrorManager``.
        process: ``sys.excepthook``, and the children of multiprocessing; one that is spawned, and not forked,
            needs its own call, in a module that it imports.
        threads: ``threading.excepthook``.
        unraisable: ``sys.unraisablehook``.
        loop: the event loop to watch; by default the running one, where one runs. ``watch_loop`` adds others.
    """
    hooks = Hooks(errors)
    if process:
        hooks.watch_process()
    if threads:
        hooks.watch_threads()
    if unraisable:
        hooks.watch_unraisable()
    if loop is not None or _a_loop_runs():
        hooks.watch_loop(loop)
    return hooks


class _Hook:
    """One function of a module, replaced by ours, which calls it."""

    def __init__(self, module: ModuleType, name: str, take: Callable[..., None]) -> None:
        self._module = module
        self._name = name
        self._take: Callable[..., None] | None = take
        self._former: Callable[..., object] = getattr(module, name)
        self._own = self._call  # a bound method is another object each time it is asked for
        setattr(module, name, self._own)

    def _call(self, *arguments: Any) -> None:
        try:
            if self._take is not None:
                self._take(*arguments)
        finally:
            self._former(*arguments)

    def remove(self) -> None:
        self._take = None
        if getattr(self._module, self._name) is self._own:
            setattr(self._module, self._name, self._former)


class _LoopHook:
    """The exception handler of one event loop."""

    def __init__(self, loop: "asyncio.AbstractEventLoop", take: Callable[[dict[str, Any]], None]) -> None:
        self._loop = loop
        self._take: Callable[[dict[str, Any]], None] | None = take
        self._former = loop.get_exception_handler()
        self._own = self._call
        loop.set_exception_handler(self._own)

    def _call(self, loop: "asyncio.AbstractEventLoop", found: dict[str, Any]) -> None:
        try:
            if self._take is not None:
                self._take(found)
        finally:
            if self._former is not None:
                self._former(loop, found)
            else:
                loop.default_exception_handler(found)

    def remove(self) -> None:
        self._take = None
        if self._loop.get_exception_handler() is self._own:
            self._loop.set_exception_handler(self._former)


class _ChildHook:
    """The work of each child of multiprocessing, which prints what ends it and asks no hook.

    In the step that every child begins with, forked or spawned; there is no other place for both.
    """

    def __init__(self, take: Callable[[BaseException, str], None]) -> None:
        from multiprocessing.process import BaseProcess  # noqa: PLC0415 - 10 ms, and few hosts have hooks

        self._take: Callable[[BaseException, str], None] | None = take
        self._processes = cast("Any", BaseProcess)
        self._former: Callable[..., int] = self._processes._bootstrap  # noqa: SLF001 - see above

        def bootstrap(process: Any, *arguments: Any, **options: Any) -> int:
            process.run = self._watched(process, process.run)
            return self._former(process, *arguments, **options)

        self._own = self._processes._bootstrap = bootstrap  # noqa: SLF001 - see above

    def _watched(self, process: Any, run: Callable[[], object]) -> Callable[[], None]:
        def watched() -> None:
            try:
                run()
            except BaseException as error:
                if self._take is not None:
                    self._take(error, process.name)
                raise

        return watched

    def remove(self) -> None:
        self._take = None
        if self._processes._bootstrap is self._own:  # noqa: SLF001 - see above
            self._processes._bootstrap = self._former  # noqa: SLF001 - see above


class _Unraised:
    """Errors that destructors raised. They come in the midst of anything, even our own locked sections.

    So nothing is called then but what the interpreter does in one piece: a queue takes them, and a thread
    that needs no lock to be started hands them over.
    """

    def __init__(self, errors: Takes) -> None:
        self._errors = errors
        self._queue: SimpleQueue[tuple[Context, BaseException, dict[str, object]]] = SimpleQueue()
        register_holder(self, lasting=True)

    def take(self, unraisable: Any) -> None:
        error = unraisable.exc_value
        if error is None or isinstance(error, NOT_ERRORS):
            return
        # Not the object itself, which would come back to life; and its name, as its repr is the host's code.
        about = _words_of(unraisable.err_msg or "Exception ignored in", unraisable.object)
        self._queue.put((copy_context(), error, about))
        try:
            _thread.start_new_thread(self.hand_over, ())
        except RuntimeError:  # the interpreter ends; it is handed over with the rest
            return

    def hand_over(self) -> None:
        """Hand over what the queue holds."""
        for context, error, about in self._held():
            context.run(self._errors.handle_once, error, context=about, handled=False)

    def _held(self) -> Iterator[tuple[Context, BaseException, dict[str, object]]]:
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


def _is_asked_for(error: BaseException) -> bool:
    """True for an end that somebody asked for, and for a group that is left of one."""
    if isinstance(error, BaseExceptionGroup):
        return not is_error(error)
    # A cancellation that reaches this place ends what nobody meant to end.
    return isinstance(error, NOT_ERRORS)


def _words_of(said: str, value: object) -> dict[str, object]:
    """The interpreter's words and the place; from Python 3.14 on they hold the object and its address."""
    found = _NAMED.search(said)
    if found is None:
        return {"unraisable": said, "object": _name_of(value)}
    name = found["name"] if value is None else _name_of(value)
    return {"unraisable": said[: found.start()].rstrip(), "object": name}


def _name_of(value: object) -> str:
    try:
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    except Exception:  # noqa: BLE001 - any object of the host's, half destroyed as it may be
        return type(value).__qualname__


def _named(found: dict[str, Any]) -> dict[str, object]:
    """The task or callback it was; asyncio's own repr tells where a task was made."""
    return {name: repr(found[name]) for name in ("task", "future", "handle") if found.get(name) is not None}


def _a_loop_runs() -> bool:
    events = sys.modules.get("asyncio")
    return events is not None and events._get_running_loop() is not None  # noqa: SLF001 - asks without raising
