"""The calls that identify a fault: the way to the crash through the service's own code, without its rounds.

What a call repeats is one call: recursion 5 deep and 50 deep takes the same way, as a retry does that
raises what it caught. Below the service's own code a library is named only where no source line says
what was called, and then by its package and the function's own name.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from faultwire_consumer.domain.grouping.call import call_of, is_of_library, is_reflection, library_call_of
from faultwire_consumer.domain.grouping.material import GroupingException, GroupingFrame

FRAMES: Final = 30
_SOURCES: Final = 3
"""Innermost calls whose source lines count: two calls of one helper in one function are two faults, but an
edited line far above the crash is not a new one."""
_SOURCE_CHARACTERS: Final = 120
_LINE_CHARACTERS: Final = 1000
"""Longer lines are of a bundle, and change with each release."""

_ENDLESS: Final = ("RecursionError", "StackOverflowError", "SystemStackError", "RangeError")
_ANYWHERE: Final = ("SoftTimeLimitExceeded", "TimeLimitExceeded")
"""Types that are raised into running code from outside, wherever it stands at that moment."""
_COMMENT: Final = re.compile(r"\s#\s.*$")
_QUOTES: Final = str.maketrans({'"': "'", "`": "'", " ": None, "\t": None})


def stack_parts(frames: Sequence[GroupingFrame], own: Sequence[GroupingFrame], kind: str) -> list[str]:
    """Describe the calls that led to an exception.

    Args:
        frames: from the outermost call to the crash.
        own: those of the service's own code.
        kind: the type of the root cause; where calls went round without end, there is no crash to be told by.
    """
    if not own:
        return [f"frame {call}" for call in _library_calls(frames)]
    kind = kind.rpartition(".")[2]
    if kind in _ANYWHERE:
        return [f"frame {call_of(own[0])}"]
    if kind in _ENDLESS and (rounds := _rounds(own)):
        return [f"frame {call}" for call in rounds]
    path = _path(own)
    first_with_source = len(path) - _SOURCES
    parts = [
        f"frame {_with_source(call, frame) if index >= first_with_source else call}"
        for index, (call, frame) in enumerate(path)
    ][-FRAMES:]
    return parts if source_of(own[-1]) else [*parts, *_entry_parts(frames, own[-1])]


def own_frames(exception: GroupingException) -> list[GroupingFrame]:
    """Return the frames of the service's own code; a publisher that says of none whose it is, means all."""
    claimed = [frame for frame in exception.frames if frame.in_app]
    return [frame for frame in claimed if not is_of_library(frame)] or claimed


def crash_calls(own: Sequence[GroupingFrame]) -> list[str]:
    """Describe where the service's own code raised an exception or let it through, and who called that."""
    return [_with_source(call, frame) for call, frame in _path(own)[-2:]]


def source_of(frame: GroupingFrame) -> str:
    """Return a call's source line, however it is formatted; empty where it is not known."""
    if not frame.context:
        return ""
    line = frame.context[len(frame.context) // 2].strip()
    if len(line) > _LINE_CHARACTERS:
        return ""
    return _COMMENT.sub("", line).translate(_QUOTES)[:_SOURCE_CHARACTERS].rstrip(",;")


def _with_source(call: str, frame: GroupingFrame) -> str:
    source = source_of(frame)
    return f"{call} | {source}" if source else call


def _path(frames: Sequence[GroupingFrame]) -> list[tuple[str, GroupingFrame]]:
    """Walk to the crash; where the way comes back to a call, the round that led there is forgotten."""
    path: dict[str, GroupingFrame] = {}
    for frame in frames:
        call = call_of(frame)
        if call in path:
            while next(reversed(path)) != call:
                path.popitem()
        path[call] = frame
    return list(path.items())


def _rounds(frames: Sequence[GroupingFrame]) -> list[str]:
    """Name what leads into an endless recursion and what goes round in it, wherever it was cut off."""
    calls = [call_of(frame) for frame in frames]
    times = Counter(calls)
    found: dict[str, None] = {}
    is_inside = False
    for call in calls:
        is_inside = is_inside or times[call] > 1
        if not is_inside or times[call] > 1:
            found[call] = None
    if not is_inside:
        return []
    # Of a stack that was cut at its outer end too, as JavaScript's are, any call may be the first.
    return (sorted(found) if times[calls[0]] > 1 else list(found))[-FRAMES:]


def _entry_parts(frames: Sequence[GroupingFrame], last: GroupingFrame) -> list[str]:
    """Name the call from the service's last own frame into a library, if there is one."""
    entry = next((index for index in range(len(frames), 0, -1) if frames[index - 1] is last), len(frames))
    return [f"library {library_call_of(frame)}" for frame in frames[entry : entry + 1]]


def _library_calls(frames: Sequence[GroupingFrame]) -> list[str]:
    """Name where the way enters each package, and where it leaves it or ends."""
    calls = [library_call_of(frame) for frame in frames if not is_reflection(frame)]
    found: dict[str, None] = {}
    for _, group in groupby(calls, key=lambda call: call.partition(":")[0]):
        run = list(group)
        found[run[0]] = found[run[-1]] = None
    return list(found)[-FRAMES:]
