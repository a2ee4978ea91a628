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
from faultwire_consumer.domain.searched import HOST, TAG, TRACE, TYPE, USER
from faultwire_shared.event import Category, ErrorSeverity


class Key(StrEnum):
    """The subject of a term."""

    SEVERITY = "severity"
    STATUS = "status"
    IS = "is"
    SERVICE = "service"
    ENVIRONMENT = "environment"
    RELEASE = "release"
    CODE = "code"
    CATEGORY = "category"
    INCIDENT = "incident"
    TYPE = TYPE
    USER = USER
    HOST = HOST
    TRACE = TRACE
    TAG = "tag"
    """Of one name, and written with it: ``tag.region:eu``."""
    FIRST = "first"
    LAST = "last"
    REGRESSED = "regressed"
    FIRST_RELEASE = "first-release"
    REGRESSED_RELEASE = "regressed-release"
    ASSIGNED = "assigned"
    SINCE = "since"
    UNTIL = "until"
    TEXT = "text"
    """A word or quoted words; never written as a key."""


class Trait(StrEnum):
    """A trait of an incident: its status, and what else it is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    NEW = "new"
    """First seen within a day."""
    REGRESSED = "regressed"
    """Came back, and is not resolved again."""
    WORSE = "worse"
    """Grows, at least twice as many events an hour as before, and is not resolved."""
    MUTED = "muted"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"


class Day(StrEnum):
    """A day by its name; it means the day's beginning, in UTC."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Pattern(Struct, frozen=True):
    """A text in which each ``*`` stands for any characters, or none."""

    text: str

    @property
    def beginning(self) -> str:
        """Return the characters before the first ``*``."""
        return self.text.partition("*")[0]


Value = str | ErrorSeverity | Status | Trait | Category | Pattern | int | datetime | timedelta | Day
"""An incident's number is an int; a time is one, or how long ago it was, or a day."""

MOMENTS: Final = (Key.SINCE, Key.UNTIL)
"""Times that have no opposite; any event's."""
INCIDENT_MOMENTS: Final = (Key.FIRST, Key.LAST, Key.REGRESSED)
"""Times of an incident, at or after which something was."""
BEGAN_OR_CAME_BACK: Final = (Key.FIRST_RELEASE, Key.REGRESSED_RELEASE)
"""Releases of an incident: of its first event, and of those that brought it back."""
LIKE: Final = (
    *(Key.SERVICE, Key.ENVIRONMENT, Key.RELEASE, Key.CODE, Key.ASSIGNED, *BEGAN_OR_CAME_BACK),
    *(Key.TYPE, Key.USER, Key.HOST, Key.TRACE, Key.TAG),
)
"""Keys whose values may be patterns."""
VALUED: Final = (Key.TYPE, Key.USER, Key.HOST, Key.TRACE, Key.TAG)
"""Keys of what an event says itself, beside its text."""
_SINGLE: Final = (*MOMENTS, *INCIDENT_MOMENTS, Key.TEXT)


class Term(Struct, frozen=True):
    """One condition: any of the values, or with ``negated`` none of them."""

    key: Key
    values: tuple[Value, ...]
    negated: bool = False
    name: str = ""
    """Of a tag."""

    @property
    def value_name(self) -> str:
        """Return the name under which events have such a value."""
        return f"{TAG}{self.name}" if self.key is Key.TAG else self.key.value


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
        place = (term.key, term.name, term.negated)
        before = merged.get(place)
        values = term.values if alone or before is None else before.values + term.values
        merged[position if alone else place] = Term(
            term.key, tuple(dict.fromkeys(values)), term.negated, term.name
        )
    return Query(tuple(merged.values()))


def print_query(query: Query) -> str:
    """Return the query as text, which parses to the query's normal form."""
    return " ".join(_print_term(term) for term in query.terms)


def _print_term(term: Term) -> str:
    lead = "-" if term.negated else ""
    if term.key is Key.TEXT:
        return f"{lead}{_quote(str(term.values[0]))}"
    key = f"{TAG}{term.name}" if term.key is Key.TAG else term.key.value
    return f"{lead}{key}:{','.join(_print_value(value) for value in term.values)}"


def _print_value(value: Value) -> str:
    if isinstance(value, timedelta):
        return f"{value // timedelta(seconds=1)}s"
    if isinstance(value, datetime):
        return _quote(value.isoformat())
    if isinstance(value, Pattern):
        return value.text
    return incident_name(value) if isinstance(value, int) else _quote(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
