"""Query parameters as typed filters; everything that is wrong with them is reported at once.

Reading and describing are one: each method that reads a parameter notes how, so the API's description
of a route is what its reader notes when it reads an empty query.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_name import KEY_MAX, parse_incident_id
from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.domain.query.value import moment_of, text_or_pattern
from faultwire_consumer.domain.suggestion import suggest
from faultwire_consumer.store.contract.paging import LIMIT_MAX
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.taxonomy import FieldError, ValidationError

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

LIMIT: Final = 50
_TEXT_CHARACTERS: Final = 200
_CURSOR_CHARACTERS: Final = 2000
"""Room for a producer's id of 200 characters, each of which takes six in JSON."""
_VALUES: Final = 50
ALL: Final = "all"
INCIDENT_ID_SCHEMA: Final = {
    "type": "string",
    "pattern": "^([Ii][Nn][Cc]-)?[1-9][0-9]{0,17}$",
    "examples": ["INC-12"],
}

PRINTABLE: Final = "printable"
"""The format of a text without control characters, line breaks and what else no screen shows."""
QUERY_FORMAT: Final = "faultwire-query"
MOMENT_FORMAT: Final = "faultwire-moment"
CURSOR_FORMAT: Final = "faultwire-cursor"
_TEXT_SCHEMA: Final = {"type": "string", "maxLength": _TEXT_CHARACTERS, "format": PRINTABLE}


class ParameterNote(Struct, frozen=True, kw_only=True):
    """A parameter as it is read: what it takes, as a JSON Schema, and what for."""

    schema: Mapping[str, Any]
    about: str


class Parameters:
    """Reads parameters by name and gathers what is wrong until `finish`.

    Each method takes ``about``: what the parameter is for, for the API's description.
    """

    def __init__(self, query: Mapping[str, list[str]], *, now: datetime) -> None:
        self._query = query
        self._now = now
        self._known: set[str] = set()
        self._notes: dict[str, ParameterNote] = {}
        self._errors: list[FieldError] = []
        self._place: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        """The moment from which durations count."""
        return self._now

    @property
    def notes(self) -> Mapping[str, ParameterNote]:
        """The parameters that were read until now, by name."""
        return {name: self._notes[name] for name in sorted(self._known)}

    def texts(self, name: str, about: str = "") -> tuple[str, ...]:
        """Every value that is not blank."""
        self._note_many(name, _TEXT_SCHEMA, about or f"By {name}; any of several.")
        return self._read_texts(name)

    def _read_texts(self, name: str) -> tuple[str, ...]:
        values = [value for value in self._query.get(name, []) if value.strip()]
        if len(values) > _VALUES:
            self._refuse(name, f"at most {_VALUES} values", None)
        for value in values:
            if len(value) > _TEXT_CHARACTERS or not value.isprintable():
                self._refuse(name, f"at most {_TEXT_CHARACTERS} printable characters", None)
                return ()
        return tuple(values[:_VALUES])

    def text(self, name: str, about: str = "") -> str | None:
        """The last value, if there is one."""
        self._note(name, _TEXT_SCHEMA, about or f"By {name}.")
        return (self._read_texts(name) or (None,))[-1]

    def flag(self, name: str, about: str) -> bool:
        """Return whether the parameter is there; its value says nothing."""
        self._note(name, {"type": "string"}, about)
        return name in self._query

    def choices(self, name: str, kind: type[E], about: str = "") -> tuple[E, ...]:
        """Values of an enum, in any case."""
        schema = {"type": "string", "enum": [member.value for member in kind]}
        self._note_many(name, schema, about or f"By {name}; any of several.")
        return self._read_choices(name, kind)

    def choices_or_all(self, name: str, kind: type[E], *, usual: E, about: str) -> tuple[E, ...]:
        """Values of an enum likewise; none of them for ``all``, and the usual one where nothing is given."""
        values = [*(member.value for member in kind), ALL]
        self._note_many(name, {"type": "string", "enum": values}, about)
        if (self._read_texts(name) or ("",))[-1].strip().lower() == ALL:
            return ()
        return self._read_choices(name, kind) or (usual,)

    def _read_choices(self, name: str, kind: type[E]) -> tuple[E, ...]:
        found = []
        for value in self._read_texts(name):
            try:
                found.append(kind(value.strip().lower()))
            except ValueError:
                self._refuse(name, f"one of {', '.join(kind)}", value)
        return tuple(found)

    def choice(self, name: str, kind: type[E], *, usual: E, about: str) -> E:
        """One value of an enum, in any case; an unknown word is refused with the one that was meant."""
        values = [member.value for member in kind]
        self._note(name, {"type": "string", "enum": values, "default": usual.value}, about)
        value = (self._read_texts(name) or (None,))[-1]
        if value is None:
            return usual
        try:
            return kind(value.strip().lower())
        except ValueError:
            self._refuse(name, f"unknown; {suggest(value.strip().lower(), values)}", value)
            return usual

    def moment(self, name: str, about: str = "") -> datetime | None:
        """A time, as `moment_of` reads it."""
        schema = {"type": "string", "format": MOMENT_FORMAT, "maxLength": _TEXT_CHARACTERS}
        self._note(name, schema, f"{about or f'By {name}'}: 2h, 7d, 2026-11-23 or 2026-11-23T10:00:00Z.")
        value = (self._read_texts(name) or (None,))[-1]
        if value is None:
            return None
        try:
            return moment_of(value, now=self._now)
        except ValueError as error:
            self._refuse(name, str(error), value)
            return None

    def as_of(self, name: str) -> datetime:
        """The time from which the other parameters' durations count: now, unless another is given."""
        about = "The time from which durations count; it keeps them the same from page to page"
        self._now = self.moment(name, about) or self._now
        return self._now

    def raw_text(self, name: str) -> str:
        """The last value as it was given; empty where there is none."""
        self._note(name, {"type": "string"}, f"By {name}.")
        return (self._query.get(name) or [""])[-1]

    def query(self, name: str) -> Query:
        """A query in the operators' language; an error names the place and the reason."""
        self._note(name, {"type": "string", "format": QUERY_FORMAT}, "In the operators' language.")
        try:
            return parse_query((self._query.get(name) or [""])[-1])
        except QueryError as error:
            self._refuse(name, str(error), error.text[:_TEXT_CHARACTERS])
            self._place = {"column": error.column, "length": error.length}
            return Query()

    def limit(self) -> int:
        """The number of rows, 1 to 1000."""
        return self.number("limit", least=1, most=LIMIT_MAX, usual=LIMIT, about="The number of rows.")

    def number(self, name: str, *, least: int, most: int, usual: int, about: str = "") -> int:
        """A whole number within bounds; ``usual`` where there is none."""
        schema = {"type": "integer", "minimum": least, "maximum": most, "default": usual}
        self._note(name, schema, about or f"The {name}.")
        value = (self._read_texts(name) or (None,))[-1]
        if value is None:
            return usual
        if value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most:
            return int(value)
        self._refuse(name, f"a number from {least} to {most}", value)
        return usual

    def row_number(self, name: str, about: str) -> int | None:
        """The number of a row; None where there is none."""
        self._note(name, {"type": "integer", "minimum": 0, "maximum": KEY_MAX}, about)
        value = (self._read_texts(name) or (None,))[-1]
        if value is None:
            return None
        if value.isascii() and value.isdigit() and len(value) <= 19 and int(value) <= KEY_MAX:
            return int(value)
        self._refuse(name, "the number of a row, as it was given", value)
        return None

    def cursor(self) -> str | None:
        """The place where the page before ended."""
        schema = {"type": "string", "format": CURSOR_FORMAT, "maxLength": _CURSOR_CHARACTERS}
        self._note("cursor", schema, "The next_cursor of the page before, to go on after it.")
        value = (self._query.get("cursor") or [""])[-1]
        if len(value) > _CURSOR_CHARACTERS:
            self._refuse("cursor", "a cursor is what next_cursor gave", None)
        return value or None

    def incident(self, name: str) -> int | None:
        """An incident's number."""
        self._note(name, INCIDENT_ID_SCHEMA, "Of this incident.")
        value = (self._read_texts(name) or (None,))[-1]
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

    def _note(self, name: str, schema: Mapping[str, Any], about: str) -> None:
        self._known.add(name)
        self._notes[name] = ParameterNote(schema=schema, about=about)

    def _note_many(self, name: str, schema: Mapping[str, Any], about: str) -> None:
        self._note(name, {"type": "array", "items": schema, "maxItems": _VALUES}, about)

    def _refuse(self, name: str, message: str, value: str | None) -> None:
        self._errors.append(FieldError(name, message, value))


class Paged(Struct, Generic[T], frozen=True):
    """A page of a list as it is asked for: which rows, how many, and after which."""

    wanted: T
    limit: int
    cursor: str | None


def paged(read: Callable[[Parameters], T]) -> Callable[[Parameters], Paged[T]]:
    """Return the reader of a list's page from the reader of its filters."""

    def read_page(parameters: Parameters) -> Paged[T]:
        return Paged(read(parameters), parameters.limit(), parameters.cursor())

    return read_page


def no_filter(_: Parameters) -> None:
    """Read nothing: every row of the list."""


def notes_of(read: Callable[[Parameters], object]) -> Mapping[str, ParameterNote]:
    """Return what a reader reads, by having it read an empty query."""
    parameters = Parameters({}, now=datetime(2000, 1, 1, tzinfo=UTC))
    read(parameters)
    return parameters.notes


def incident_query(parameters: Parameters) -> Query:
    """The query for a list of incidents: the given query and every filter must hold."""
    category = any_of(Key.CATEGORY, parameters.choices("category", Category))
    code = any_of(Key.CODE, map(text_or_pattern, parameters.texts("code")))
    status = any_of(Key.STATUS, parameters.choices("status", Status))
    search = any_of(Key.TEXT, filter(None, [parameters.text("search", "With this text.")]))
    return _shared_query(parameters) + category + code + status + search


class OrderedIncidents(Struct, frozen=True):
    """A list of incidents as it is asked for: which, and in which order."""

    query: Query
    order: IncidentOrder


def ordered_incidents(parameters: Parameters) -> OrderedIncidents:
    """The query for a list of incidents, and its order."""
    about = "The order; each begins with what there is most of, last and first with the latest."
    order = parameters.choice("sort", IncidentOrder, usual=IncidentOrder.LAST, about=about)
    return OrderedIncidents(incident_query(parameters), order)


def event_query(parameters: Parameters) -> Query:
    """The query for a list of events, put together likewise."""
    incident = any_of(Key.INCIDENT, filter(None, [parameters.incident("incident")]))
    return _shared_query(parameters) + incident


def _shared_query(parameters: Parameters) -> Query:
    query = parameters.query("query")
    for key in (Key.SERVICE, Key.ENVIRONMENT, Key.RELEASE):
        query += any_of(key, map(text_or_pattern, parameters.texts(key.value)))
    query += any_of(Key.SEVERITY, parameters.choices("severity", ErrorSeverity))
    for key, about in ((Key.SINCE, "Not before"), (Key.UNTIL, "Not after")):
        query += any_of(key, filter(None, [parameters.moment(key.value, about)]))
    return query
