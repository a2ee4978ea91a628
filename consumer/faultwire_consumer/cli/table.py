"""A table as lines that fit a terminal: ids stay whole, long texts are cut, what matters least falls away.

Widths are cells of a terminal, not characters. Where terminals differ, as in emoji that are made of
several characters, the wider reading counts: a line may be shorter than it could be, and never wraps.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from rich.cells import get_character_cell_size

GAP: Final = 2
"""Cells between two columns."""
_ELLIPSIS: Final = "…"
_EMOJI_STYLE: Final = "\N{VARIATION SELECTOR-16}"
_SKIN_TONES: Final = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_CHARACTERS_PER_CELL: Final = 4
"""The most characters that a cell may hold: marks without a width of their own have a bound too."""


class Breadth(Struct, frozen=True):
    """The breadth of a column: what its longest text takes, and the least that it is worth showing with."""

    natural: int
    least: int


class Layout(Struct, frozen=True):
    """The columns of a table that are shown, each by its place with its width, and those that are not."""

    widths: Mapping[int, int]
    hidden: tuple[int, ...]


def width_of(text: str) -> int:
    """Return the cells that a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_widths(text))


def cut(text: str, width: int) -> str:
    """Return the beginning of a text that fits, with ``…`` where something is missing."""
    if width_of(text) <= width and len(text) <= width * _CHARACTERS_PER_CELL:
        return text
    used = 0
    for place, cells in enumerate(_widths(text[: width * _CHARACTERS_PER_CELL])):
        used += cells
        if used > width - 1:
            return text[:place] + _ELLIPSIS
    return text[: width * _CHARACTERS_PER_CELL - 1] + _ELLIPSIS


def pad(text: str, width: int, *, to_the_right: bool = False) -> str:
    """Return a text with blanks up to a width: behind it, or in front of numbers."""
    blanks = " " * (width - width_of(text))
    return blanks + text if to_the_right else text + blanks


def lay_out(breadths: Sequence[Breadth], *, room: int, spare: Sequence[int]) -> Layout:
    """Choose the columns that fit and their widths.

    Args:
        breadths: of each column.
        room: the terminal's cells.
        spare: the places of columns that may fall away, the least important first.
    """
    shown = list(range(len(breadths)))
    hidden = []
    for place in spare:
        if sum(breadths[one].least for one in shown) + GAP * (len(shown) - 1) <= room:
            break
        shown.remove(place)
        hidden.append(place)
    left = room - GAP * (len(shown) - 1) - sum(breadths[place].least for place in shown)
    return Layout(_share({place: breadths[place] for place in shown}, left), tuple(sorted(hidden)))


def _share(breadths: Mapping[int, Breadth], left: int) -> dict[int, int]:
    """Give what is left to columns that could use it: those that want least first, the rest evenly."""
    widths = {place: breadth.least for place, breadth in breadths.items()}
    wanting = sorted(
        (place for place, breadth in breadths.items() if breadth.natural > breadth.least),
        key=lambda place: breadths[place].natural - breadths[place].least,
    )
    for number, place in enumerate(wanting):
        share = max(0, left) // (len(wanting) - number)
        more = min(share, breadths[place].natural - breadths[place].least)
        widths[place] += more
        left -= more
    return widths


def _widths(text: str) -> Iterator[int]:
    before = 0
    for character in text:
        if character == _EMOJI_STYLE:
            yield 1 if before == 1 else 0
            continue
        before = 2 if character in _SKIN_TONES else get_character_cell_size(character)
        yield before
