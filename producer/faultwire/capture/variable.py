"""Local variables of the service's own calls, as they are when an error is captured; by choice alone.

They are read where they lie: no code of theirs runs, and the client holds nothing of them afterwards. Python
3.11 and 3.12 do: a frame that was asked for its variables keeps them as they were until its call ends.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from types import FrameType, TracebackType
from typing import Any, Final

from msgspec.structs import replace

from faultwire_shared.event import Frame
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import Bounds, Snapshot

CALLS: Final = 8
"""Calls of one exception whose variables are read, the nearest to its crash."""
CALLS_OF_EVENT: Final = 16
VARIABLES: Final = 25
"""Variables of one call, its arguments first."""
BOUNDS: Final = Bounds(depth=3, items=10, text=256, values=100, characters=2_048)
"""What all variables of one call may take."""
_NAME_CHARACTERS: Final = 100
_OPTIMIZED: Final = 0x01
"""CO_OPTIMIZED: the code of a function, whose variables have slots."""

Trace = tuple[TracebackType | None, list[Frame]]
"""A traceback, and the frames that were made of it."""
_Call = tuple[list[Frame], int, FrameType]


def add_variables(traces: Sequence[Trace], *, last: int) -> bool:
    """Put the variables of own calls into the frames, nearest to the crashes first.

    Args:
        traces: those of all errors of an event.
        last: so many frames at the crash are the traceback's last; between others before them some may be
            left out.

    Returns:
        True if any were left out or cut.
    """
    calls = [list(islice(_own_calls(*trace, last), CALLS + 1)) for trace in traces]
    turns = chain.from_iterable(zip_longest(*(each[:CALLS] for each in calls)))
    in_turns = [call for call in turns if call is not None]
    is_cut = any(len(each) > CALLS for each in calls) or len(in_turns) > CALLS_OF_EVENT
    for frames, at, frame in in_turns[:CALLS_OF_EVENT]:
        found, is_one_cut = read_variables(frame)
        is_cut = is_cut or is_one_cut
        if found:
            frames[at] = replace(frames[at], vars=found)
    return is_cut


def read_variables(frame: FrameType) -> tuple[dict[str, Any], bool]:
    """A call's variables as JSON, and whether any were left out or cut; never raises.

    A module's own are none: they are its globals.
    """
    snapshot, found = Snapshot(BOUNDS, held=True), dict[str, Any]()
    try:
        held = frame.f_locals
        for name in _names_of(frame, held):
            if name in held and name.isidentifier() and not name.startswith("__"):
                if len(found) == VARIABLES:
                    return found, True
                found[name[:_NAME_CHARACTERS]] = snapshot.value("vars", held[name])
    except BaseException as error:  # noqa: BLE001 - what stands for a frame's variables may be of the host's making
        pass_interruption(error)
        return found, True
    return found, bool(snapshot.truncated)


def _own_calls(traceback: TracebackType | None, frames: list[Frame], last: int) -> Iterator[_Call]:
    for distance, step in enumerate(reversed(deque(_steps(traceback), maxlen=last)), start=1):
        if frames[-distance].in_app and _has_own(step.tb_frame):
            yield frames, -distance, step.tb_frame


def _has_own(frame: FrameType) -> bool:
    """True but for a module, whose variables are its globals."""
    return bool(frame.f_code.co_flags & _OPTIMIZED) or frame.f_locals is not frame.f_globals


def _steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _names_of(frame: FrameType, held: Mapping[str, Any]) -> Sequence[str]:
    code = frame.f_code
    if code.co_flags & _OPTIMIZED:
        return tuple(dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars)))
    # A class's body; what it is run in may be a mapping of a metaclass's making.
    return [name for name in held if type(name) is str] if type(held) is dict else ()
