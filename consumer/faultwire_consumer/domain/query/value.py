"""Reads the values of a query's keys: severities, states, times, patterns; other keys take any text."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.query.query import (
    INCIDENT_MOMENTS,
    LIKE,
    MOMENTS,
    Day,
    Key,
    Pattern,
    Trait,
    Value,
)
from faultwire_shared.event import Category, ErrorSeverity

VALUE_CHARACTERS: Final = 200

_DURATION: Final = re.compile(r"(\d{1,10})\s*([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
NEVER: Final = "never"
_LONGEST: Final = timedelta(days=36500)
_COMPARED: Final = re.compile(r"(>=|<=|>|<)\s*(\w+)")
_MOMENTS: Final = "write 2h, 7d, yesterday, monday, 2026-11-23 or 2026-11-23T10:00:00Z"
_CHOICES: Final[Mapping[Key, type[Status | Trait | Category]]] = {
    Key.STATUS: Status,
    Key.IS: Trait,
    Key.CATEGORY: Category,
}
_WEEKDAYS: Final = tuple(Day)[2:]
_ANY: Final = re.compile(r"\*+")


class BadValueError(ValueError):
    """The key does not take that value; the text says what it takes."""


def read_values(key: Key, text: str, *, quoted: bool = False) -> Sequence[Value]:
    """Read one written value; a comparison yields several values.

    Args:
        key: the key that it is a value of.
        text: the value without its quotes.
        quoted: it stood in quotes, so that a ``*`` in it is one.

    Raises:
        BadValueError: it means nothing for that key.
    """
    if len(text) > VALUE_CHARACTERS:
        raise BadValueError(f"a value has at most {VALUE_CHARACTERS} characters")
    if key is Key.SEVERITY:
        return _severities(text)
    if (chosen := _CHOICES.get(key)) is not None:
        return (chosen(_choice(text, chosen, "state" if key is Key.IS else key.value)),)
    if key is Key.INCIDENT:
        return (_incident(text),)
    if key in (*MOMENTS, *INCIDENT_MOMENTS):
        return (parse_moment(text),)
    text = text.lower() if key is Key.TRACE else text
    return (text_or_pattern(text) if key in LIKE and not quoted else text,)


def text_or_pattern(text: str) -> str | Pattern:
    """Return a value that stands without quotes as what it means."""
    return Pattern(_ANY.sub("*", text)) if "*" in text else text


def parse_moment(text: str) -> datetime | timedelta | Day:
    """Read a time: ``2h`` for two hours ago (s m h d w), a day, a date, or RFC 3339; UTC if no zone is given.

    Raises:
        BadValueError: it is none of these.
    """
    written = text.strip()
    duration = _DURATION.fullmatch(written)
    if duration is not None:
        ago = timedelta(seconds=int(duration.group(1)) * _SECONDS[duration.group(2)])
        if ago > _LONGEST:
            raise BadValueError(f"{_MOMENTS}, at most {_LONGEST.days}d")
        return ago
    if written.lower() in tuple(Day):
        return Day(written.lower())
    try:
        # In a query string a bare + means a space.
        moment = datetime.fromisoformat(re.sub(r"(T.+) (\d\d:?\d\d)$", r"\1+\2", written))
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValueError(_MOMENTS) from None


def moment_of(text: str, *, now: datetime) -> datetime:
    """The moment that a written time means: ``2h`` is two hours before ``now``.

    Raises:
        BadValueError: it is none; the text says what to write.
    """
    return resolve_moment(parse_moment(text), now=now)


def end_of(text: str, *, now: datetime) -> datetime | None:
    """The moment at which something ends: ``90d`` is in 90 days, a date is that day, ``never`` is None.

    Raises:
        BadValueError: it is none of these; the text says what to write.
    """
    if text.strip().lower() == NEVER:
        return None
    try:
        end = parse_moment(text)
    except BadValueError:
        end = Day.TODAY
    if isinstance(end, Day):
        raise BadValueError("write 90d, 2027-06-30 or never")
    return now + end if isinstance(end, timedelta) else end


def resolve_moment(value: Value, *, now: datetime) -> datetime:
    """Return the moment that a parsed time means; of a weekday it is the last, which may be today."""
    if isinstance(value, timedelta):
        return now - value
    if isinstance(value, Day):
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        if value in _WEEKDAYS:
            return midnight - timedelta(days=(midnight.weekday() - _WEEKDAYS.index(value)) % 7)
        return midnight - timedelta(days=value is Day.YESTERDAY)
    assert isinstance(value, datetime), f"{MOMENTS} hold times"  # noqa: S101 - for the type checker
    return value


def _severities(text: str) -> Sequence[Value]:
    names = tuple(ErrorSeverity)
    compared = _COMPARED.fullmatch(text)
    if compared is None:
        return (ErrorSeverity(_choice(text, names, "severity")),)
    sign, name = compared.groups()
    rank = ErrorSeverity(_choice(name, names, "severity")).rank
    found = tuple(severity for severity in ErrorSeverity if _holds(severity.rank, sign, rank))
    if not found:
        raise BadValueError(f"no severity is {sign} {name}")
    return found


def _holds(rank: int, sign: str, other: int) -> bool:
    return (sign[1:] == "=" and rank == other) or (rank > other if sign[0] == ">" else rank < other)


def _incident(text: str) -> int:
    number = parse_incident_id(text)
    if number is None:
        raise BadValueError("an incident's id, as in INC-12")
    return number


def _choice(text: str, names: Iterable[str], what: str) -> str:
    word, known = text.strip().lower(), [str(name) for name in names]
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise BadValueError(f"a {what} is {', '.join(known[:-1])} or {known[-1]}{hint}")
