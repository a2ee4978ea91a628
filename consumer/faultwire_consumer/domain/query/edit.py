"""Edits of a query's text: terms are added and taken away, and all others stay as they were written."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.incident_terms import spell_seconds
from faultwire_consumer.domain.query.query import Key, Query, Term, Value, print_query
from faultwire_consumer.domain.query.text import read_terms
from faultwire_consumer.domain.searched import TAG

_PLAIN: Final = re.compile(r"\w[\w.@/+-]*")
"""What means the same with and without quotes, whatever key it is a value of."""


class QueryPart(Struct, frozen=True):
    """A term of a query, and its text."""

    term: Term
    text: str


def parts_of(text: str) -> tuple[QueryPart, ...]:
    """Return the terms of a query's text, in their order.

    Raises:
        QueryError: the text is not a query.
    """
    return tuple(QueryPart(term, text[start:end]) for term, start, end in read_terms(text))


def join_parts(parts: Iterable[QueryPart]) -> str:
    """Return the text that parts make together."""
    return " ".join(part.text for part in parts)


def has_term(parts: Iterable[QueryPart], wanted: Term) -> bool:
    """Return whether each of a term's values is asked for, or ruled out as the term does it."""
    found = [value for part in parts if _is_alike(part.term, wanted) for value in part.term.values]
    return all(value in found for value in wanted.values)


def with_term(parts: tuple[QueryPart, ...], term: Term) -> tuple[QueryPart, ...]:
    """Return the parts with one more term; the same where it is there."""
    return parts if has_term(parts, term) else (*parts, QueryPart(term, write_term(term)))


def without_term(parts: Iterable[QueryPart], unwanted: Term) -> tuple[QueryPart, ...]:
    """Return the parts without a term's values; other values of the same key stay."""
    return tuple(left for part in parts if (left := _left_of(part, unwanted)) is not None)


def without_key(parts: Iterable[QueryPart], key: Key) -> tuple[QueryPart, ...]:
    """Return the parts without all terms of a key."""
    return tuple(part for part in parts if part.term.key is not key)


def write_term(term: Term) -> str:
    """Return a term as somebody would write it: in quotes only what needs them."""
    values = [_write_value(value) for value in term.values]
    if None in values:
        return print_query(Query((term,)))
    lead = "-" if term.negated else ""
    if term.key is Key.TEXT:
        return f"{lead}{values[0]}"
    name = f"{TAG}{term.name}" if term.key is Key.TAG else term.key.value
    return f"{lead}{name}:{','.join(value or '' for value in values)}"


def _write_value(value: Value) -> str | None:
    """Return a value without quotes; None where it needs them, or is printed in one way only."""
    if isinstance(value, timedelta):
        return spell_seconds(value // timedelta(seconds=1))
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def _left_of(part: QueryPart, unwanted: Term) -> QueryPart | None:
    if not _is_alike(part.term, unwanted):
        return part
    values = tuple(value for value in part.term.values if value not in unwanted.values)
    if values == part.term.values:
        return part
    left = replace(part.term, values=values)
    return QueryPart(left, write_term(left)) if values else None


def _is_alike(one: Term, other: Term) -> bool:
    return (one.key, one.name, one.negated) == (other.key, other.name, other.negated)
