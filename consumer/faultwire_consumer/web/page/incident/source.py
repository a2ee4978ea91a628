"""Source lines as pieces with a kind each, by which a style sheet colours them."""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, Final

from msgspec import Struct

LINE_CHARACTERS: Final = 200
"""The most of one line that is shown."""
LINES: Final = 11
"""The most lines around a call, half of them before the one that ran."""

_KINDS: Final = {
    "Comment": "c",
    "Literal.String": "s",
    "Literal.Number": "n",
    "Operator.Word": "k",
    "Keyword": "k",
    "Name.Decorator": "d",
    "Name.Function": "d",
    "Name.Class": "d",
    "Name.Builtin": "b",
}
"""By the types of Pygments' tokens, which contain those that are more special."""


class SourcePiece(Struct, frozen=True):
    """A piece of a line; its kind is empty where nothing colours it."""

    kind: str
    text: str


class SourceLine(Struct, frozen=True):
    """A source line; the one that ran is marked."""

    number: int | None
    pieces: tuple[SourcePiece, ...]
    ran: bool


def view_source(line: int, context: Sequence[str], *, is_python: bool) -> tuple[SourceLine, ...]:
    """Return numbered source lines, of which the middle one ran; without the empty ones at both ends.

    Args:
        line: the number of the line that ran; 0 where it is not known.
        context: the lines.
        is_python: they are Python, and are coloured.
    """
    if not context:
        return ()
    middle = len(context) // 2
    first, last = max(0, middle - LINES // 2), min(len(context), middle + LINES // 2 + 1)
    while first < middle and not context[first].strip():
        first += 1
    while last > middle + 1 and not context[last - 1].strip():
        last -= 1
    texts = tuple(_cut(text) for text in context[first:last])
    coloured = colour(texts) if is_python else tuple((SourcePiece("", text),) for text in texts)
    start = line - middle + first
    return tuple(
        SourceLine(start + offset if line and start + offset > 0 else None, pieces, first + offset == middle)
        for offset, pieces in enumerate(coloured)
    )


@lru_cache(maxsize=4096)
def colour(lines: tuple[str, ...]) -> tuple[tuple[SourcePiece, ...], ...]:
    """Return lines of Python as pieces; the same few lines come with every event of an incident."""
    rows: list[list[SourcePiece]] = [[]]
    for kind, text in _tokens("\n".join(lines)):
        first, *others = text.split("\n")
        _add(rows[-1], kind, first)
        for other in others:
            rows.append([])
            _add(rows[-1], kind, other)
    return tuple(map(tuple, rows))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for _, token, value in _lexer().get_tokens_unprocessed(text):
        yield _kind_of(token), value


@cache
def _lexer() -> Any:
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415 - 4 MiB, for who looks at source lines

    return PythonLexer(stripnl=False, ensurenl=False)


@cache
def _kind_of(token: tuple[str, ...]) -> str:
    """Return the kind of a token's type, which is the path of its names from the widest on."""
    ends = range(len(token), 0, -1)
    return next((_KINDS[name] for end in ends if (name := ".".join(token[:end])) in _KINDS), "")


def _add(row: list[SourcePiece], kind: str, text: str) -> None:
    if not text:
        return
    if row and row[-1].kind == kind:
        row[-1] = SourcePiece(kind, row[-1].text + text)
    else:
        row.append(SourcePiece(kind, text))


def _cut(text: str) -> str:
    line = text.rstrip().replace("\t", "    ").replace("\n", " ").replace("\r", " ")
    return line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…"
