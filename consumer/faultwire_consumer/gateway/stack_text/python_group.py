"""The box that Python draws around an exception group: lines with a margin become a tree of sections."""

from typing import Final

from msgspec import Struct, field

_GROUP_BEGINS: Final = ("  + Exception Group Traceback (most recent call last):", "  +-+---------------- 1 ")
_TOP: Final = 2
"""Column of the margin around the outermost group."""
_STEP: Final = 2
_DEEPEST: Final = 40
"""Groups in groups; Python prints 10 of them."""


class BoxSection(Struct):
    """A chain's lines without their margin; the members of a group stand where they were printed."""

    items: list["str | list[BoxSection]"] = field(default_factory=list)


def sections_of(lines: list[str]) -> BoxSection:
    """Take the margins away."""
    root = BoxSection()
    box = _Box(root)
    for line in lines:
        if not box.take(line):
            root.items.append(line)
    return root


class _Box:
    """The places that lines go to: the open sections from the outermost one, each with its column."""

    def __init__(self, root: BoxSection) -> None:
        self._root = root
        self._open: list[tuple[int, BoxSection]] = []

    def take(self, line: str) -> bool:
        """Take a line that has a margin; outside of a group nothing is taken for one."""
        if not self._open and not line.startswith(_GROUP_BEGINS):
            return self._begins_without_header(line)
        self._open = self._open or [(_TOP, self._root)]
        content = line.lstrip(" ")
        column = len(line) - len(content)
        if content.startswith(("|", "+ ")):
            self._at(column).items.append(content[2:])
        elif content.startswith("+-+--"):
            self._begin_member(column, is_first=True)
        elif content.startswith("+--"):
            self._end_member(column - _STEP, content)
        else:
            self._open = []
            return False
        return True

    def _begins_without_header(self, line: str) -> bool:
        """Take the first line of a group that was never raised: it has a margin and no header."""
        if not line.startswith("  | ") or any(isinstance(one, str) and one for one in self._root.items[-1:]):
            return False
        self._open = [(_TOP, self._root)]
        self._root.items.append(line[4:])
        return True

    def _at(self, column: int) -> BoxSection:
        while len(self._open) > 1 and self._open[-1][0] > column:
            self._open.pop()
        return self._open[-1][1]

    def _end_member(self, column: int, content: str) -> None:
        if content.strip("+-"):  # a number: another one follows
            self._begin_member(column, is_first=False)
        else:
            self._at(column)

    def _begin_member(self, column: int, *, is_first: bool) -> None:
        items, member = self._at(column).items, BoxSection()
        last = items[-1] if items else None
        if is_first or not isinstance(last, list):
            items.append([member])
        else:
            last.append(member)
        if len(self._open) < _DEEPEST:
            self._open.append((column + _STEP, member))
