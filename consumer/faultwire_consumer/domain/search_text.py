"""The searchable text of an incident: one text, folded in Python so that both databases answer alike."""

from collections.abc import Iterable, Mapping
from typing import Final

from faultwire_shared.event import Scalar
from faultwire_shared.text import storable

SEARCH_CHARACTERS: Final = 4096
"""Maximum length of an incident's text. A trigram index grows with it, and text beyond it adds little."""
LEAST_CHARACTERS: Final = 3
"""Minimum length of a text to search for: with fewer, no trigram can be looked up."""


def fold(text: str) -> str:
    """Remove case from the text, by Unicode's full case folding (``ß`` is ``ss``)."""
    return text.casefold()


def search_text(texts: Iterable[str], tags: Mapping[str, Scalar]) -> str:
    """Join the texts and then the tags as ``key:value``, folded, a line each, so that no match spans two.

    Put short texts first: a result that is too long is cut at its end.
    """
    lines = [*texts, *(f"{key}:{_written(value)}" for key, value in tags.items())]
    folded = fold("\n".join(line for line in lines if line))
    return storable(folded)[:SEARCH_CHARACTERS]


def _written(value: Scalar) -> str:
    """Return a tag's value as JSON writes it, a text without its quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
