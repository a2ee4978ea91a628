"""Local variables of a call as lines of text: each value as JSON, all of it bounded."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

VARIABLES: Final = 50
"""The most variables of one call."""
CHARACTERS: Final = 300
"""The most of one value."""


def spell_variables(variables: Mapping[str, Any], *, most: int = CHARACTERS) -> list[tuple[str, str]]:
    """Return names and values as texts; a value longer than ``most`` characters ends in a sign that says so.

    They are what strangers wrote: whoever shows them makes them safe for their place.
    """
    return [(name, _spell(value, most)) for name, value in islice(variables.items(), VARIABLES)]


def variable_lines(variables: Mapping[str, Any], *, most: int = CHARACTERS) -> list[str]:
    """Return ``name = value`` for each, and how many more there are."""
    lines = [f"{name} = {value}" for name, value in spell_variables(variables, most=most)]
    more = len(variables) - len(lines)
    return [*lines, f"(and {more} more)"] if more > 0 else lines


def _spell(value: Any, most: int) -> str:
    # A long text is cut before it is written: 256 KB of one may come with each call.
    given = value[: most + 1] if isinstance(value, str) else value
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[: most - 1]}…"
