"""A chain of exceptions in Python's form, the cause first, the crash last: the one printer for all.

Plain, it is what Python itself prints, to be pasted wherever that is understood. Annotated, it says more to
whoever reads it: the lines around the one that ran in calls near the crash, what is a library's, and the
attributes of exceptions.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from faultwire_shared.event import ExceptionInfo, Frame

_CAUSED: Final = "The above exception was the direct cause of the following exception:"
_FRAMES: Final = 60
_FRAMES_PLAIN: Final = 500
"""The most frames of one exception: those at the crash."""
_WITH_LINES_AROUND: Final = 10
"""The most frames of one exception that are shown with more than the line that ran, from its crash."""
_MEMBERS_DEPTH: Final = 5
_NOTES: Final = 20
_MEMBERS: Final = 10


def trace_lines(chain: Sequence[ExceptionInfo], *, annotated: bool = False) -> list[str]:
    """Return the lines that Python would print of a chain.

    They hold what strangers wrote: whoever shows them makes them safe for their place.

    Args:
        chain: the exception that was raised, then its cause, and so on.
        annotated: with what Python does not print, see above.
    """
    return list(_chain(chain, annotated, 0))


def _chain(chain: Sequence[ExceptionInfo], annotated: bool, depth: int) -> Iterator[str]:
    for position, error in enumerate(reversed(chain)):
        if position:
            yield from ("", _CAUSED, "")
        yield from _calls(error, annotated)
        yield from _last_lines(error, annotated)
        yield from _members(error, annotated, depth)


def _calls(error: ExceptionInfo, annotated: bool) -> Iterator[str]:
    if error.frames:
        kind = "Exception Group Traceback" if error.members else "Traceback"
        yield f"{kind} (most recent call last):"
    most = _FRAMES if annotated else _FRAMES_PLAIN
    left_out = len(error.frames) - most
    if left_out > 0:
        yield f"  ({left_out} calls further out are left out)"
    shown = error.frames[-most:]
    near = places_with_lines([len(frame.context) for frame in shown])
    for index, frame in enumerate(shown):
        yield from _annotated(frame, with_lines_around=index in near) if annotated else _plain(frame)


def places_with_lines(lengths: Sequence[int]) -> set[int]:
    """Return the calls to show with the lines around, by the number of lines each has: the last ten."""
    return set([at for at, length in enumerate(lengths) if length > 1][-_WITH_LINES_AROUND:])


def _annotated(frame: Frame, *, with_lines_around: bool) -> Iterator[str]:
    mark = "" if frame.in_app else "  (library)"
    yield f"  {_place(frame, frame.qualname or '?')}{mark}"
    if with_lines_around:
        for text, ran in source_lines(frame.context):
            yield f"   {'>' if ran else ' '}{text}".rstrip()
    elif frame.ran:
        yield f"    {frame.ran.strip()}"


def source_lines(context: Sequence[str]) -> list[tuple[str, bool]]:
    """Return source lines with True for the one that ran, without the empty ones at both ends."""
    middle = len(context) // 2
    first, last = 0, len(context)
    while first < middle and not context[first].strip():
        first += 1
    while last > middle + 1 and not context[last - 1].strip():
        last -= 1
    return [(context[at].rstrip(), at == middle) for at in range(first, last)]


def _plain(frame: Frame) -> Iterator[str]:
    yield f"  {_place(frame, frame.qualname.rpartition('.')[2] or '<unknown>')}"
    source = frame.ran.strip()
    if source:
        yield f"    {source}"


def _place(frame: Frame, name: str) -> str:
    return f'File "{frame.file or frame.module or "?"}", line {frame.line}, in {name}'


def _last_lines(error: ExceptionInfo, annotated: bool) -> Iterator[str]:
    yield from ": ".join(filter(None, (qualified_type(error), error.value))).splitlines()
    for note in error.notes[:_NOTES]:
        yield from note.splitlines()
    if annotated and error.attributes:
        shown = ", ".join(f"{name}={value}" for name, value in error.attributes.items())
        yield f"({shown})"


def _members(error: ExceptionInfo, annotated: bool, depth: int) -> Iterator[str]:
    if not error.members:
        return
    if depth >= _MEMBERS_DEPTH:
        yield f"  ({len(error.members)} members are left out)"
        return
    for number, member in enumerate(error.members[:_MEMBERS], start=1):
        yield f"  +-+---------------- {number} ----------------"
        for line in _chain(member, annotated, depth + 1):
            yield f"    | {line}".rstrip()
    if len(error.members) > _MEMBERS:
        yield f"    | (and {len(error.members) - _MEMBERS} more)"
    yield "    +------------------------------------"


def qualified_type(error: ExceptionInfo) -> str:
    """Return an exception's type as Python prints it."""
    return error.type if error.module in ("", "builtins", "__main__") else f"{error.module}.{error.type}"
