"""The searchable text of an incident or event, folded in Python so that both databases answer alike."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from faultwire_shared.event import Scalar
from faultwire_shared.text import storable

SEARCH_CHARACTERS: Final = 4096
"""Maximum length of a searched text. A trigram index grows with it, and text beyond it adds little."""
TRIGRAM: Final = 3
"""The characters that the databases' indexes look up together."""
LEAST_CHARACTERS: Final = TRIGRAM
"""Minimum length of a text to search for: with fewer, no trigram can be looked up."""
LEAST_IDEOGRAPHS: Final = 2
"""The same for texts in Chinese, Japanese and Korean, whose words are that short; no index helps then."""

_IDEOGRAPHS: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
_DOTTED_I: Final = "i\u0307"
"""What `İ` is without case; nobody types its dot."""


def fold(text: str) -> str:
    """Remove case and other forms of the same characters, so that what looks alike is found.

    By Unicode's full case folding (``ß`` is ``ss``) between two compatibility normalisations: composed
    and decomposed letters, full-width and other forms are one.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace(_DOTTED_I, "i")


def fold_as_before(text: str) -> str:
    """Return the form in which incidents of earlier versions were stored."""
    return text.casefold()


def is_long_enough(text: str) -> bool:
    """Return True if a text has enough characters to search for."""
    for form in (fold(text), fold_as_before(text)):
        least = LEAST_IDEOGRAPHS if _IDEOGRAPHS.search(form) else LEAST_CHARACTERS
        if len(form) < least:
            return False
    return True


def search_text(texts: Iterable[str], tags: Mapping[str, Scalar]) -> str:
    """Join the texts and then the tags as ``key:value``, folded, a line each, so that no match spans two.

    Put short texts first: a result that is too long is cut at its end.
    """
    lines = [*texts, *(f"{key}:{written(value)}" for key, value in tags.items())]
    folded = fold("\n".join(line for line in lines if line))
    return storable(folded)[:SEARCH_CHARACTERS]


def written(value: Scalar) -> str:
    """Return a tag's value as JSON writes it, a text without its quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
