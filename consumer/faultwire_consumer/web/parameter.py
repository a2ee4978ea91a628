"""Query parameters as typed filters; everything that is wrong with them is told at once."""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.event_queries import EventFilter
from faultwire_consumer.store.paging import KEY_MAXIMUM, LIMIT_MAXIMUM
from faultwire_consumer.store.queries import IncidentFilter
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.taxonomy import FieldError, ValidationError

E = TypeVar("E", bound=StrEnum)

LIMIT: Final = 50
_TEXT_CHARACTERS: Final = 200
_CURSOR_CHARACTERS: Final = 500
_VALUES: Final = 50
_DURATION: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_INCIDENT_ID: Final = re.compile(r"(?:inc-)?(\d{1,19})", re.IGNORECASE | re.ASCII)


def parse_incident_id(text: str) -> int | None:
    """The number in ``INC-12``, ``inc-12`` or ``12``; None where the text is no such id."""
    match = _INCIDENT_ID.fullmatch(text)
    number = int(match.group(1)) if match else 0
    return number if 0 < number <= KEY_MAXIMUM else None


def parse_moment(text: str, *, now: datetime) -> datetime:
    """A time: ``2h`` for two hours ago (s m h d w), a date, or RFC 3339; UTC where no zone is said.

    Raises:
        ValueError: it is none of these.
    """
    duration = _DURATION.fullmatch(text.strip())
    try:
        if duration is not None:
            return now - timedelta(seconds=int(duration.group(1)) * _SECONDS[duration.group(2)])
        # In a query string a bare + means a space.
        moment = datetime.fromisoformat(re.sub(r"(T.+) (\d\d:?\d\d)$", r"\1+\2", text.strip()))
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("write 2h, 7d, 2026-11-23 or 2026-11-23T10:00:00Z") from None


class Parameters:
    """Reads parameters by name and gathers what is wrong until `finish`."""

    def __init__(self, query: Mapping[str, list[str]], *, now: datetime) -> None:
        self._query = query
        self._now = now
        self._known: set[str] = set()
        self._errors: list[FieldError] = []

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
        """A time, as `parse_moment` reads it."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return parse_moment(value, now=self._now)
        except ValueError as error:
            self._refuse(name, str(error), value)
            return None

    def limit(self) -> int:
        """How many rows, 1 to 1000."""
        value = self.text("limit")
        if value is None:
            return LIMIT
        if value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= LIMIT_MAXIMUM:
            return int(value)
        self._refuse("limit", f"a number from 1 to {LIMIT_MAXIMUM}", value)
        return LIMIT

    def cursor(self) -> str | None:
        """Where the page before ended."""
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
            near = difflib.get_close_matches(name, sorted(self._known), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(self._known))}"
            self._refuse(name[:_TEXT_CHARACTERS], f"unknown; {hint}", None)
        if self._errors:
            raise ValidationError(errors=self._errors)

    def _refuse(self, name: str, message: str, value: str | None) -> None:
        self._errors.append(FieldError(name, message, value))


def incident_filter(parameters: Parameters) -> IncidentFilter:
    """The filters of a list of incidents."""
    return IncidentFilter(
        service=parameters.texts("service"),
        severity=parameters.choices("severity", ErrorSeverity),
        category=parameters.choices("category", Category),
        code=parameters.texts("code"),
        status=parameters.choices("status", Status),
        environment=parameters.texts("environment"),
        release=parameters.texts("release"),
        since=parameters.moment("since"),
        until=parameters.moment("until"),
        search=parameters.text("search"),
    )


def event_filter(parameters: Parameters) -> EventFilter:
    """The filters of a list of events."""
    return EventFilter(
        service=parameters.texts("service"),
        severity=parameters.choices("severity", ErrorSeverity),
        environment=parameters.texts("environment"),
        release=parameters.texts("release"),
        incident=parameters.incident("incident"),
        since=parameters.moment("since"),
        until=parameters.moment("until"),
    )
