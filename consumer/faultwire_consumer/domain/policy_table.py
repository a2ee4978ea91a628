"""Reads one TOML table by its keys, and knows the line of each for what has to be said of it."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from faultwire_consumer.domain.policy import PolicyError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")
"""Rules and receivers: their names travel in headers, keys and labels."""

SECRETS: Final = ("url", "secret")
"""Keys whose values no message shows: a webhook's address often is its password."""

_DURATION: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-\"'. ]+?)\s*=")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Table:
    """A table of a TOML document. Every reader takes a key; `finish` refuses those that nobody took."""

    def __init__(self, values: dict[str, Any], text: str, path: tuple[str, ...] = ()) -> None:
        self._values = values
        self._text = text
        self._path = path
        self._taken: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def name(self) -> str:
        """The last part of the table's own key."""
        return self._path[-1]

    def error(self, key: str, text: str) -> PolicyError:
        """What is wrong with a key, or with the table where the key is not there."""
        where = ".".join((*self._path, key)) if key in self._values else ".".join(self._path)
        return PolicyError(line_of(self._text, self._path, key), f"{where}: {text}" if where else text)

    def missing(self, key: str, text: str) -> PolicyError:
        """What to say where a key is not there: that another one looks like it, else the text."""
        strange = [one for one in self._values if one not in self._taken]
        near = difflib.get_close_matches(key, strange, n=1, cutoff=0.6)
        if near:
            return self.error(near[0], f"unknown key {near[0]!r}; did you mean {key}?")
        return self.error(key, f"{key} is missing: {text}")

    def take(self, key: str) -> Any:
        """The value as it came; None where there is none."""
        self._taken.append(key)
        return self._values.get(key)

    def finish(self) -> None:
        """See that every key was taken.

        Raises:
            PolicyError: one is unknown.
        """
        for key in self._values:
            if key not in self._taken:
                known = sorted(set(self._taken))
                raise self.error(key, f"unknown key {key!r}{nearest(key, known)}")

    def read(self, key: str, convert: Callable[[Any], T], default: T) -> T:
        """A value that the function takes; its ValueError says what would be right.

        Raises:
            PolicyError: it does not take it.
        """
        value = self.take(key)
        if value is None:
            return default
        try:
            return convert(value)
        except ValueError as error:
            raise self.error(key, f"{_shown(key, value)} is not {error}") from None

    def number(self, key: str, least: int, most: int, what: str, default: int) -> int:
        """A whole number."""

        def convert(value: Any) -> int:
            if type(value) is not int or not least <= value <= most:
                raise ValueError(what)
            return value

        return self.read(key, convert, default)

    def switch(self, key: str) -> bool:
        """True or false; false where it is not there."""

        def convert(value: Any) -> bool:
            if not isinstance(value, bool):
                raise ValueError("true or false")  # noqa: TRY004 - `read` makes the one kind of error of it
            return value

        return self.read(key, convert, default=False)

    def text(self, key: str) -> str | None:
        """A text that is not empty."""

        def convert(value: Any) -> str:
            if not isinstance(value, str) or not value:
                raise ValueError("a text")
            return value

        return self.read(key, convert, None)

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """One of some words."""
        return self.read(key, lambda value: _chosen(value, known), default)

    def texts(self, key: str, known: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of texts, or a single one; where ``known`` is given, of those."""

        def convert(value: Any) -> tuple[str, ...]:
            values = _texts(value)
            return tuple(_chosen(one, known) for one in values) if known is not None else values

        return self.read(key, convert, ())

    def enum(self, key: str, kind: type[E]) -> E | None:
        """A word of an enum."""
        return self.read(key, lambda value: kind(_chosen(value, list(kind))), None)

    def enums(self, key: str, kind: type[E], known: Sequence[E] | None = None) -> tuple[E, ...]:
        """A list of words of an enum, or a single one."""
        return tuple(kind(word) for word in self.texts(key, list(known or kind)))

    def duration(self, key: str, least: timedelta, most: timedelta) -> timedelta | None:
        """A duration."""
        return self.read(key, lambda value: self.as_duration(value, least, most), None)

    @staticmethod
    def as_duration(value: Any, least: timedelta, most: timedelta) -> timedelta:
        """A text as a duration.

        Raises:
            ValueError: it is none, or outside the bounds.
        """
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        length = timedelta(seconds=int(match.group(1)) * _SECONDS[match.group(2)]) if match else None
        if length is None or not least <= length <= most:
            raise ValueError(
                f'a duration from {spell_duration(least)} to {spell_duration(most)}, as in "10m"'
            )
        return length

    def text_lists(self, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """A table whose every key has a text or a list of them."""
        values = self.take(key)
        if values is None:
            return
        table = self.inner(key, values)
        for name in values:
            yield name, table.texts(name)

    def tables(self, key: str) -> Iterator["Table"]:
        """A table of named tables.

        Raises:
            PolicyError: a name cannot be one.
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
        """The table under a key.

        Raises:
            PolicyError: what stands there is none.
        """
        if not isinstance(values, dict):
            raise self.error(key, f"{key} is a table, as in [{'.'.join((*self._path, key))}]")
        return Table(values, self._text, (*self._path, key))


def nearest(name: str, known: Iterable[str]) -> str:
    """What the name may have been meant to be, else what there is."""
    words = sorted(known)
    near = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(words)}"


def spell_duration(length: timedelta) -> str:
    """A duration as people write it here: ``90s``, ``10m``, ``1w``."""
    seconds = int(length.total_seconds())
    unit = max((name for name, size in _SECONDS.items() if seconds % size == 0), key=_SECONDS.__getitem__)
    return f"{seconds // _SECONDS[unit]}{unit}"


def line_of(text: str, path: tuple[str, ...], key: str) -> int:
    """Where a key of a table stands; the table's own line where it cannot be found, else the first.

    A reader of lines and no parser: it serves messages alone.
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
    raise ValueError(f"one of {', '.join(known)}{_hint(value, known)}")


def _hint(value: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.5) if isinstance(value, str) else []
    return f"; did you mean {near[0]}?" if near else ""


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one for one in values):
        raise ValueError("a text, or a list of texts")
    return tuple(values)


def _shown(key: str, value: Any) -> str:
    """The value in a message, on one line and bounded; a list only by its kind, it may be long."""
    if key in SECRETS:
        return "the value"
    return "the list" if isinstance(value, list | dict) else repr(value)[:80]
