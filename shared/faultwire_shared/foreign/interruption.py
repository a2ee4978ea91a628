"""Interruptions, told from what a call raises: Ctrl-C, and a signal handler that raises, go on.

A value's ``__str__`` that raises ``SystemExit`` has failed like any other; a signal's handler that raises it
while that ``__str__`` runs wants the process to end.
"""

from collections.abc import Iterator
from opcode import opmap
from types import FrameType, TracebackType
from typing import Final

_RAISE: Final = opmap["RAISE_VARARGS"]
_OURS: Final = ("faultwire", "faultwire_shared")
_SCHEDULERS: Final = ("eventlet", "gevent", "greenlet")
"""Packages that raise in whatever runs just then, as a deadline or the end of a task."""
_trace_of: Final = BaseException.__dict__["__traceback__"].__get__
_module_of: Final = type.__dict__["__module__"].__get__


def pass_interruption(error: BaseException) -> None:
    """Raise the error again if it came from outside of what was called."""
    if is_interruption(error):
        raise error


def is_interruption(error: BaseException) -> bool:
    """Return True for an exception that no code which was called on our behalf has raised by itself."""
    if issubclass(type(error), Exception):
        return False
    if any(str(_module_of(base)).partition(".")[0] in _SCHEDULERS for base in type.mro(type(error))):
        return True
    steps = list(_steps(_trace_of(error)))
    if not steps:
        return False
    last = steps[-1].tb_frame
    if str(last.f_globals.get("__name__")).partition(".")[0] in _OURS:
        return True
    # The interpreter's own handler has no frame: Ctrl-C appears where nothing was raised.
    if type(error) is KeyboardInterrupt and last.f_code.co_code[steps[-1].tb_lasti] != _RAISE:
        return True
    return any(_handles_signal(step.tb_frame) for step in steps)


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _handles_signal(frame: FrameType) -> bool:
    """Return True for a frame that was handed the one that called it, as handlers of signals are."""
    before = frame.f_back
    given = frame.f_locals.values()
    return before is not None and any(
        value is before or (type(value) is tuple and any(each is before for each in value)) for value in given
    )
