"""The source around a line that ran, by ``linecache``: a file is read once, at its first sight."""

import linecache
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from faultwire_shared.event import Frame
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import clean_text

AROUND: Final = 2
"""Lines before the one that ran, and as many behind it."""
STACKED: Final = 25
"""Calls of one event that keep the lines around, the nearest to their crash: with lines of usual length some
4 KB of an event, with the longest ones 24."""
_CHARACTERS: Final = 200
"""Characters of a line, from its first one that is not blank."""
_INDENTATION: Final = 40
_ABOVE: Final = 100
"""Lines above the first one that is shown, among which a private key's beginning is looked for."""
_KEY_BEGINS: Final = "-----BEGIN "
_KEY_ENDS: Final = "-----END "
_PREFIXES: Final = " \t\fbBrRfFuU"

Lean = Callable[[Frame], Frame]
"""Returns the frame with the line alone that ran."""


def read_source(file: str, line: int, names: dict[str, Any], *, around: int) -> list[str]:
    """The line that ran, between ``around`` lines before and behind it, which are empty beyond the file.

    Nothing where the line is not known. They are indented as they are to one another; ``names`` are the
    globals of the module, whose loader may hold its source.
    """
    try:
        lines = linecache.getlines(file, names)
        if not (0 < line <= len(lines) and lines[line - 1].strip()):
            return []
        first = line - around
        shown = [lines[at - 1] if 0 < at <= len(lines) else "" for at in range(first, line + around + 1)]
        _leave_out_continued(shown, lines[max(0, first - 1 - _ABOVE) : max(0, first - 1)])
        return _dedented(shown)
    except BaseException as error:  # noqa: BLE001 - a module's own loader is asked for its source and may raise anything
        pass_interruption(error)
        return []


def spare_source(stacks: Sequence[list[Frame]], lean: Lean) -> None:
    """Leave the lines around to ``STACKED`` calls of an event; of farther ones only what ran stays."""
    for index, (stack, at) in enumerate(_from_the_crash(stacks)):
        if index >= STACKED:
            stack[at] = lean(stack[at])


def _from_the_crash(stacks: Sequence[list[Frame]]) -> Iterator[tuple[list[Frame], int]]:
    """Places of the frames with lines around: of each stack the nearest to its crash, then the next."""
    for distance in range(1, max(map(len, stacks)) + 1):
        for stack in stacks:
            if distance <= len(stack) and len(stack[-distance].context) > 1:
                yield stack, -distance


def _leave_out_continued(shown: list[str], above: Sequence[str]) -> None:
    """Empty the first lines where they go on with a text: its name, which may be a secret's, is not seen."""
    begun = [line for line in above if _KEY_BEGINS in line or _KEY_ENDS in line]
    inside = bool(begun) and _KEY_ENDS not in begun[-1]
    for at in range(len(shown) // 2):
        if not inside and shown[at].lstrip(_PREFIXES)[:1] not in ("'", '"'):
            return
        inside = inside and _KEY_ENDS not in shown[at]
        shown[at] = ""


def _dedented(lines: Sequence[str]) -> list[str]:
    margin = min(_indentation(line) for line in lines if line.strip())
    return [_cut(line, margin) for line in lines]


def _cut(line: str, margin: int) -> str:
    text = clean_text(line.strip(), _CHARACTERS)
    return " " * min(_indentation(line) - margin, _INDENTATION) + text if text else ""


def _indentation(line: str) -> int:
    """The columns before a line's text; tabs go to every eighth, whatever an editor makes of them."""
    return len(line[: len(line) - len(line.lstrip())].expandtabs())
