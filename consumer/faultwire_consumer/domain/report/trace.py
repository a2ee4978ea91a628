"""A chain of exceptions in Python's form: the cause first, the crash last, with the source around it."""

from collections.abc import Iterator, Sequence
from typing import Final

from faultwire_shared.event import ExceptionInfo, Frame

_CAUSED: Final = "The above exception was the direct cause of the following exception:"
_FRAMES: Final = 60
"""The most frames of one exception: those at the crash."""
_MEMBERS_DEPTH: Final = 3
_NOTES: Final = 20
_MEMBERS: Final = 10


def trace_lines(chain: Sequence[ExceptionInfo]) -> list[str]:
    """Return the lines that Python would print of a chain."""
    lines: list[str] = []
    for position, error in enumerate(reversed(chain)):
        if position:
            lines += ["", _CAUSED, ""]
        lines += _exception(error)
    return lines


def _exception(error: ExceptionInfo, depth: int = 0) -> Iterator[str]:
    margin = "  | " * depth
    if error.frames:
        yield f"{margin}Traceback (most recent call last):"
    left_out = len(error.frames) - _FRAMES
    if left_out > 0:
        yield f"{margin}  ({left_out} calls further out are left out)"
    for frame in error.frames[-_FRAMES:]:
        yield from (margin + line for line in _frame(frame))
    yield from (margin + line for line in f"{qualified_type(error)}: {error.value}".splitlines() or [""])
    for note in error.notes[:_NOTES]:
        yield from (margin + line for line in note.splitlines())
    if error.attributes:
        shown = ", ".join(f"{name}={value}" for name, value in error.attributes.items())
        yield f"{margin}({shown})"
    yield from _members(error, depth)


def _members(error: ExceptionInfo, depth: int) -> Iterator[str]:
    if not error.members or depth >= _MEMBERS_DEPTH:
        return
    for number, member in enumerate(error.members[:_MEMBERS], start=1):
        yield f"{'  | ' * depth}  +---------------- {number} of {len(error.members)} ----------------"
        for each in reversed(member):
            yield from _exception(each, depth + 1)


def _frame(frame: Frame) -> Iterator[str]:
    mark = "" if frame.in_app else "  (library)"
    place = frame.file or frame.module or "?"
    yield f'  File "{place}", line {frame.line}, in {frame.qualname or "?"}{mark}'
    middle = len(frame.context) // 2
    for offset, text in enumerate(frame.context):
        sign = ">" if offset == middle and len(frame.context) > 1 else " "
        yield f"   {sign}{text.rstrip()}"


def qualified_type(error: ExceptionInfo) -> str:
    """Return an exception's type as Python prints it."""
    return error.type if error.module in ("", "builtins", "__main__") else f"{error.module}.{error.type}"
