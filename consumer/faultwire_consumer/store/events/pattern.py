"""Conditions that a column has one of several values, or is like a pattern, alike on both databases."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

from faultwire_consumer.domain.query.query import Pattern, Value

_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


def is_like(
    asked: ColumnElement[Any], values: Sequence[Value | int], database: str, *, ordered: bool = False
) -> ColumnElement[bool]:
    """Return the condition that a column has any of the values, or is like one of the patterns.

    Args:
        asked: the column.
        values: values, and patterns.
        database: the kind of database.
        ordered: the column is in the order of bytes, so that a pattern's beginning is a range in its index.
    """
    exact = [value for value in values if not isinstance(value, Pattern)]
    patterns = [value for value in values if isinstance(value, Pattern)]
    conditions: list[ColumnElement[bool]] = [asked.in_(exact)] if exact or not patterns else []
    conditions += [_is_like(asked, pattern, database, ordered=ordered) for pattern in patterns]
    return or_(*conditions) if len(conditions) > 1 else conditions[0]


def _is_like(
    asked: ColumnElement[Any], pattern: Pattern, database: str, *, ordered: bool
) -> ColumnElement[bool]:
    within = _beginning_with(asked, pattern.beginning) if ordered else []
    if database == "postgresql":
        return and_(*within, asked.like(escape_like(pattern.text).replace("*", "%"), escape="\\"))
    # GLOB, which tells capitals apart as everything here does.
    return and_(*within, asked.bool_op("GLOB")(pattern.text.replace("[", "[[]").replace("?", "[?]")))


def _beginning_with(asked: ColumnElement[Any], beginning: str) -> list[ColumnElement[bool]]:
    if not beginning:
        return []
    above = _following(beginning)
    return [asked >= beginning, *([asked < above] if above else [])]


def _following(beginning: str) -> str:
    """Return the first text, in the order of bytes, behind all that begin like this; empty if none is."""
    while beginning and ord(beginning[-1]) == _LAST_CHARACTER:
        beginning = beginning[:-1]
    if not beginning:
        return ""
    after = ord(beginning[-1]) + 1
    return beginning[:-1] + chr(_SURROGATES.stop if after in _SURROGATES else after)


def escape_like(text: str) -> str:
    """Return a text as LIKE takes it, with a backslash for its escape character."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
