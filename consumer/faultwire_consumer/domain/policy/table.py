"""Reads one TOML table by its keys, and knows the line of each for its error messages."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.suggestion import suggest

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")
"""Names of rules and receivers: they travel in headers, keys and labels."""

SECRETS: Final = (
    *("url", "secret", "routing_key", "api_key", "token", "password"),
    *("from", "to", "reply_to", "username", "unsubscribe_mailto", "unsubscribe_url"),
)
"""Keys whose values no message shows: a webhook's address is often its password, and a mail's a person's."""

_TOP_KEYS: Final = ("growth", "receivers", "rules")
_DURATION: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-\"'. ]+?)\s*=")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class WrongPartError(ValueError):
    """One part of a value is wrong: the message names it, instead of the whole value."""

    def __init__(self, part: object, text: str) -> None:
        super().__init__(text)
        self.part = part


class Table:
    """A table of a TOML document. Every reader takes a key; `finish` rejects those that nobody took."""

    def __init__(self, values: dict[str, Any], text: str, path: tuple[str, ...] = ()) -> None:
        self._values = values
        self._text = text
        self._path = path
        self._taken: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def name(self) -> str:
        """Return the last part of the table's own key."""
        return self._path[-1]

    def error(self, key: str, text: str) -> PolicyError:
        """Build the error about a key, or about the table if the key is missing."""
        where = ".".join((*self._path, key)) if key in self._values else ".".join(self._path)
        return PolicyError(line_of(self._text, self._path, key), f"{where}: {text}" if where else text)

    def missing(self, key: str, text: str) -> PolicyError:
        """Build the error for a missing key: it names a similar one if there is one, else says the text."""
        strange = [one for one in self._values if one not in self._taken]
        near = difflib.get_close_matches(key, strange, n=1, cutoff=0.6)
        if near:
            return self.error(near[0], f"unknown key {near[0]!r}; did you mean {key}?")
        return self.error(key, f"{key} is missing: {text}")

    def take(self, key: str) -> Any:
        """Take the value as it is; None if there is none."""
        self._taken.append(key)
        return self._values.get(key)

    def finish(self) -> None:
        """Make sure that every key was taken.

        Raises:
            PolicyError: a key is unknown.
        """
        for key in self._values:
            if key not in self._taken:
                if self._path and key in _TOP_KEYS:
                    raise self.error(key, f"{key} belongs to the file: write it above the first [table]")
                known = sorted(set(self._taken))
                raise self.error(key, f"unknown key {key!r}; {suggest(key, known)}")

    def read(self, key: str, convert: Callable[[Any], T], default: T) -> T:
        """Take a value through a converter, whose ValueError says what would be right.

        Raises:
            PolicyError: the converter rejects it.
        """
        value = self.take(key)
        if value is None:
            return default
        try:
            return convert(value)
        except WrongPartError as error:
            raise self.error(key, f"{_shown(key, error.part)} is not {error}") from None
        except ValueError as error:
            raise self.error(key, f"{_shown(key, value)} is not {error}") from None

    def number(self, key: str, minimum: int, maximum: int, what: str, default: int) -> int:
        """Take a whole number."""

        def convert(value: Any) -> int:
            if type(value) is not int or not minimum <= value <= maximum:
                raise ValueError(what)
            return value

        return self.read(key, convert, default)

    def switch(self, key: str, *, default: bool = False) -> bool:
        """Take true or false."""

        def convert(value: Any) -> bool:
            if not isinstance(value, bool):
                raise ValueError("true or false")  # noqa: TRY004 - `read` makes the one kind of error of it
            return value

        return self.read(key, convert, default)

    def text(self, key: str) -> str | None:
        """Take a text that is not empty."""

        def convert(value: Any) -> str:
            if not isinstance(value, str) or not value:
                raise ValueError("a text")
            return value

        return self.read(key, convert, None)

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """Take one of several words."""
        return self.read(key, lambda value: _chosen(value, known), default)

    def texts(self, key: str, known: Sequence[str] | None = None) -> tuple[str, ...]:
        """Take a list of texts, or a single one; with ``known``, only those."""

        def convert(value: Any) -> tuple[str, ...]:
            values = _texts(value)
            return tuple(_chosen_part(one, known) for one in values) if known is not None else values

        return self.read(key, convert, ())

    def enum(self, key: str, kind: type[E]) -> E | None:
        """Take one value of an enum."""
        return self.read(key, lambda value: kind(_chosen(value, list(kind))), None)

    def enums(self, key: str, kind: type[E], known: Sequence[E] | None = None) -> tuple[E, ...]:
        """Take a list of values of an enum, or a single one."""
        return tuple(kind(word) for word in self.texts(key, list(known or kind)))

    def duration(self, key: str, minimum: timedelta, maximum: timedelta) -> timedelta | None:
        """Take a duration."""
        return self.read(key, lambda value: self.as_duration(value, minimum, maximum), None)

    @staticmethod
    def as_duration(value: Any, minimum: timedelta, maximum: timedelta) -> timedelta:
        """Read a text as a duration.

        Raises:
            ValueError: it is not a duration, or outside the bounds.
        """
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        length = timedelta(seconds=int(match.group(1)) * _SECONDS[match.group(2)]) if match else None
        if length is None or not minimum <= length <= maximum:
            raise ValueError(
                f'a duration from {spell_duration(minimum)} to {spell_duration(maximum)}, as in "10m"'
            )
        return length

    def text_lists(self, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Take a table in which every key has a text or a list of texts."""
        values = self.take(key)
        if values is None:
            return
        table = self.inner(key, values)
        for name in values:
            yield name, table.texts(name)

    def tables(self, key: str) -> Iterator["Table"]:
        """Take a table of named tables.

        Raises:
            PolicyError: a name is not valid.
        """
        values = self.take(key)
        if values is None:
            return
        outer = self.inner(key, values)
        for name, inner in values.items():
            if not NAME.fullmatch(name):
                raise outer.error(name, "a name has letters, digits, _ and -, 50 at most")
            yield outer.inner(name, inner)

    def inner(self, key: str, values: Any) -> "Table":
        """Return the table under a key.

        Raises:
            PolicyError: the value is not a table.
        """
        if not isinstance(values, dict):
            raise self.error(key, f"{key} is a table, as in [{'.'.join((*self._path, key))}]")
        return Table(values, self._text, (*self._path, key))


def spell_duration(length: timedelta) -> str:
    """Return a duration as policies spell it: ``90s``, ``10m``, ``1w``."""
    seconds = int(length.total_seconds())
    unit = max((name for name, size in _SECONDS.items() if seconds % size == 0), key=_SECONDS.__getitem__)
    return f"{seconds // _SECONDS[unit]}{unit}"


def line_of(text: str, path: tuple[str, ...], key: str) -> int:
    """Return the line of a table's key; the table's own line if it cannot be found, else the first.

    It reads lines and is not a parser: it serves error messages only.
    """
    best, current = 0, tuple[str, ...]()
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            current = _parts(header.group(1))
        match = None if header else _KEY.match(line)
        found = (*current, *_parts(match.group(1))) if match else current if header else ()
        if found[: len(path) + 1] == (*path, key):
            return number
        if path and found[: len(path)] == path and not best:
            best = number
    return best or 1


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _chosen(value: Any, known: Sequence[str]) -> str:
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(f"one of {', '.join(known)}{hint(value, known)}")


def _chosen_part(value: str, known: Sequence[str]) -> str:
    try:
        return _chosen(value, known)
    except ValueError as error:
        raise WrongPartError(value, str(error)) from None


def hint(value: Any, known: Sequence[str]) -> str:
    """Return the known word that was probably meant, as the end of a message; empty if none is near."""
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.5) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one for one in values):
        raise ValueError("a text, or a list of texts")
    return tuple(values)


def _shown(key: str, value: Any) -> str:
    """Show the value in a message, on one line and bounded; a list only by its kind, as it may be long."""
    if key in SECRETS:
        return "the value"
    return "the list" if isinstance(value, list | dict) else repr(value)[:80]
