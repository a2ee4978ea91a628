"""Strangers' texts as a template is given them: on one line, bounded, safe for a surface."""

from collections.abc import Callable
from typing import Final

from faultwire_shared.text import printable

LINE_CHARACTERS: Final = 500
TITLE_CHARACTERS: Final = 300
NAME_CHARACTERS: Final = 100
LINK_CHARACTERS: Final = 500

Show = Callable[[str, int], str]
"""Makes a stranger's text safe for one surface, in at most so many characters."""


def clean_line(text: str, maximum: int) -> str:
    """Escape control characters and line breaks; cut the text at ``maximum`` characters."""
    cleaned = printable(text[: maximum + 1])
    return cleaned if len(cleaned) <= maximum else f"{cleaned[: maximum - 1]}…"
