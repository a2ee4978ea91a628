"""Query parameters as typed filters; everything that is wrong with them is reported at once."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.domain.query.value import moment_of
from faultwire_consumer.domain.suggestion import suggest
from faultwire_consumer.store.contract.paging import LIMIT_MAX
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.taxonomy import FieldError, ValidationError

E = TypeVar("E", bound=StrEnum)

LIMIT: Final = 50
_TEXT_CHARACTERS: Final = 200
_CURSOR_CHARACTERS: Final = 2000
"""Room for a producer's id of 200 characters, each of which takes six in JSON."""
_VALUES: Final = 50


class Parameters:
    """Reads parameters by name and gathers what is wrong until `finish`."""

    def __init__(self, query: Mapping[str, list[str]], *, now: datetime) -> None:
        self._query = query
        self._now = now
        self._known: set[str] = set()
        self._errors: list[FieldError] = []
        self._place: dict[str, int] = {}

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value that is not blank."""
        self._known.add(name)
        values = [value for value in self._query.get(name, []) if value.strip()]
        if len(values) > _VALUES:
            self._refuse(name, f"at most {_VALUES} values", None)
        for value in values:
            if len(value) > _TEXT_CHARACTERS or not value.isprintable():
                self._refuse(name, f"at most {_TEXT_CHARACTERS} printable characters", None)
                return ()
        return tuple(values[:_VALUES])

    def text(self, name: str) -> str | None:
        """The last value, if there is one."""
        return (self.texts(name) or (None,))[-1]

    def choices(self, name: str, kind: type[E]) -> tuple[E, ...]:
        """Values of an enum, in any case."""
        found = []
        for value in self.texts(name):
            try:
                found.append(kind(value.strip().lower()))
            except ValueError:
                self._refuse(name, f"one of {', '.join(kind)}", value)
        return tuple(found)

    def moment(self, name: str) -> datetime | None:
        """A time, as `moment_of` reads it."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return moment_of(value, now=self._now)
        except ValueError as error:
            self._refuse(name, str(error), value)
            return None

    def raw_text(self, name: str) -> str:
        """The last value as it was given; empty where there is none."""
        self._known.add(name)
        return (self._query.get(name) or [""])[-1]

    def query(self, name: str) -> Query:
        """A query in the operators' language; an error names the place and the reason."""
        try:
            return parse_query(self.raw_text(name))
        except QueryError as error:
            self._refuse(name, str(error), error.text[:_TEXT_CHARACTERS])
            self._place = {"column": error.column, "length": error.length}
            return Query()

    def limit(self) -> int:
        """The number of rows, 1 to 1000."""
        return self.number("limit", least=1, most=LIMIT_MAX, usual=LIMIT)

    def number(self, name: str, *, least: int, most: int, usual: int) -> int:
        """A whole number within bounds; ``usual`` where there is none."""
        value = self.text(name)
        if value is None:
            return usual
        if value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most:
            return int(value)
        self._refuse(name, f"a number from {least} to {most}", value)
        return usual

    def cursor(self) -> str | None:
        """The place where the page before ended."""
        self._known.add("cursor")
        value = (self._query.get("cursor") or [""])[-1]
        if len(value) > _CURSOR_CHARACTERS:
            self._refuse("cursor", "a cursor is what next_cursor gave", None)
        return value or None

    def incident(self, name: str) -> int | None:
        """An incident's number."""
        value = self.text(name)
        number = parse_incident_id(value) if value is not None else None
        if value is not None and number is None:
            self._refuse(name, "an incident's id, as in INC-12", value)
        return number

    def finish(self) -> None:
        """See that nothing was wrong and nothing unknown was given.

        Raises:
            ValidationError: with every field and why.
        """
        for name in sorted(set(self._query) - self._known):
            self._refuse(name[:_TEXT_CHARACTERS], f"unknown; {suggest(name, self._known)}", None)
        if self._errors:
            raise ValidationError(errors=self._errors, details=self._place)

    def _refuse(self, name: str, message: str, value: str | None) -> None:
        self._errors.append(FieldError(name, message, value))


def incident_query(parameters: Parameters) -> Query:
    """The query for a list of incidents: the given query and every filter must hold."""
    category = any_of(Key.CATEGORY, parameters.choices("category", Category))
    code = any_of(Key.CODE, parameters.texts("code"))
    status = any_of(Key.STATUS, parameters.choices("status", Status))
    search = any_of(Key.TEXT, filter(None, [parameters.text("search")]))
    return _shared_query(parameters) + category + code + status + search


def event_query(parameters: Parameters) -> Query:
    """The query for a list of events, put together likewise."""
    incident = any_of(Key.INCIDENT, filter(None, [parameters.incident("incident")]))
    return _shared_query(parameters) + incident


def _shared_query(parameters: Parameters) -> Query:
    query = parameters.query("query")
    for key in (Key.SERVICE, Key.ENVIRONMENT, Key.RELEASE):
        query += any_of(key, parameters.texts(key.value))
    query += any_of(Key.SEVERITY, parameters.choices("severity", ErrorSeverity))
    for key in (Key.SINCE, Key.UNTIL):
        query += any_of(key, filter(None, [parameters.moment(key.value)]))
    return query
