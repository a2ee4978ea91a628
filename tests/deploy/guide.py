"""The lines of the guides as somebody types them."""

from collections.abc import Iterator, Mapping

from tests.tools.block import ROOT, Block, read_blocks


def blocks_of(document: str, language: str, word: str | None = None) -> list[Block]:
    """The blocks of a document in a language, with a word behind it."""
    found = read_blocks(document, (ROOT / document).read_text(encoding="utf-8"))
    return [one for one in found if one.language == language and (word is None or word in one.words)]


def lines_of(document: str, changed: Mapping[str, str] | None = None) -> list[list[str]]:
    """The blocks of commands that are run by a test of their own, as lines, with what is otherwise here."""
    return [list(_changed(block.text, changed or {})) for block in blocks_of(document, "sh", "parsed")]


def _changed(text: str, changed: Mapping[str, str]) -> Iterator[str]:
    for line in text.splitlines():
        for documented, here in changed.items():
            line = line.replace(documented, here)  # noqa: PLW2901 - the line as it is typed here
        yield line
