"""The operators' language: ``severity:high service:api -code:TIMEOUT "timed out" since:24h``.

A query is a list of terms separated by spaces, all of which must hold. A term is a key with values, any
of which may match, or a text to search for; ``-`` in front negates it. The values of one key in several
terms form one term with all of them. This module holds only what a query says: the times in it are
still relative, and turning it into a database query is the store's job.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_shared.event import Category, ErrorSeverity


class Key(StrEnum):
    """The subject of a term."""

    SEVERITY = "severity"
    STATUS = "status"
    SERVICE = "service"
    ENVIRONMENT = "environment"
    RELEASE = "release"
    CODE = "code"
    CATEGORY = "category"
    INCIDENT = "incident"
    SINCE = "since"
    UNTIL = "until"
    TEXT = "text"
    """A word or quoted words; never written as a key."""


Value = str | ErrorSeverity | Status | Category | int | datetime | timedelta
"""An incident's number is an int; a time is one, or how long ago it was."""

MOMENTS: Final = (Key.SINCE, Key.UNTIL)
_SINGLE: Final = (*MOMENTS, Key.TEXT)


class Term(Struct, frozen=True):
    """One condition: any of the values, or with ``negated`` none of them."""

    key: Key
    values: tuple[Value, ...]
    negated: bool = False


class Query(Struct, frozen=True):
    """Terms that must all hold; a query without terms matches everything."""

    terms: tuple[Term, ...] = ()

    def __add__(self, other: "Query") -> "Query":
        """Combine two queries: all terms of both must hold."""
        return Query(self.terms + other.terms)

    def of(self, *keys: Key, negated: bool = False) -> tuple[Term, ...]:
        """Return the terms of these keys that require something, or with ``negated`` exclude something."""
        return tuple(term for term in self.terms if term.key in keys and term.negated is negated)


def any_of(key: Key, values: Iterable[Value]) -> Query:
    """Build the query of one term; without values, of none."""
    given = tuple(values)
    return Query((Term(key, given),)) if given else Query()


def merge_terms(terms: Iterable[Term]) -> Query:
    """Build a query in its normal form: the values of one key together, none of them twice."""
    merged: dict[object, Term] = {}
    for position, term in enumerate(terms):
        alone = term.key in _SINGLE
        before = merged.get((term.key, term.negated))
        values = term.values if alone or before is None else before.values + term.values
        merged[position if alone else (term.key, term.negated)] = Term(
            term.key, tuple(dict.fromkeys(values)), term.negated
        )
    return Query(tuple(merged.values()))


def print_query(query: Query) -> str:
    """Return the query as text, which parses to the query's normal form."""
    return " ".join(_print_term(term) for term in query.terms)


def _print_term(term: Term) -> str:
    lead = "-" if term.negated else ""
    if term.key is Key.TEXT:
        return f"{lead}{_quote(str(term.values[0]))}"
    return f"{lead}{term.key}:{','.join(_print_value(value) for value in term.values)}"


def _print_value(value: Value) -> str:
    if isinstance(value, timedelta):
        return f"{value // timedelta(seconds=1)}s"
    if isinstance(value, datetime):
        return _quote(value.isoformat())
    return incident_name(value) if isinstance(value, int) else _quote(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
