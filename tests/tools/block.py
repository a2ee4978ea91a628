"""The fenced blocks of the documents, as a reader meets them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).parents[2]
FRONT_DOORS: Final = (
    "README.md",
    "producer/README.md",
    "consumer/README.md",
    "shared/README.md",
    "deploy/README.md",
    "tests/README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
)
PAGES: Final = tuple(
    sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("[a-z]*/docs/**/*.md") if page.is_file())
)
"""The site's pages, wherever they lie."""
DOCUMENTS: Final = FRONT_DOORS + PAGES

_FENCE: Final = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")


class Block(Struct, frozen=True):
    """One fenced block: its language, and the words behind it that say how it is tested."""

    document: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    def option(self, name: str) -> str | None:
        """The value of a word ``name=value``."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def all_blocks() -> list[Block]:
    """Every block of every document."""
    return [
        block for name in DOCUMENTS for block in read_blocks(name, (ROOT / name).read_text(encoding="utf-8"))
    ]


def read_blocks(document: str, text: str) -> Iterator[Block]:
    """The fenced blocks of a text in Markdown, without the indentation of a list around them.

    Raises:
        ValueError: a fence is never closed.
    """
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            continue
        body = []
        for _, inner in lines:
            if inner.strip().startswith(opening["fence"]) and not inner.strip().strip(opening["fence"][0]):
                break
            body.append(inner.removeprefix(opening["indent"]))
        else:
            raise ValueError(f"{document}:{number}: the fence is never closed")
        language, *words = opening["info"].split() or [""]
        yield Block(document, number, language, tuple(words), "".join(f"{line}\n" for line in body))


def program_of(block: Block, blocks: Sequence[Block]) -> str:
    """The block, behind those that it ``continues``."""
    if "continues" not in block.words:
        return block.text
    earlier = [other for other in blocks if other.document == block.document and other.line < block.line]
    before = next(other for other in reversed(earlier) if other.language == block.language)
    return f"{program_of(before, blocks)}\n{block.text}"
