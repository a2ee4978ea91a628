"""Any Python value as bounded JSON: anything that a host passes becomes something that can be encoded.

It never raises and never takes long: depth, keys, characters and the number of values are bounded,
and a value that misbehaves is replaced by a word in angle brackets.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from types import FunctionType, MappingProxyType
from typing import Any, Final

from msgspec import Struct

from faultwire_shared.event import CONTEXT_KEYS, DEPTH, NAME_CHARACTERS, STRING_CHARACTERS, Scalar
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import (
    Form,
    Manner,
    Unset,
    enum_value,
    field_of,
    held_manner_of,
    items_of,
    manner_of,
    module_text,
    name_of,
    qualname_of,
)

VALUES: Final = 1_000
"""Maximum number of values in one event's open fields (context, tags, user, request) together."""
CHARACTERS: Final = 96 * 1024
"""Maximum number of characters of text in one event's open fields together."""
TRUNCATED_PATHS: Final = 50


class Bounds(Struct, frozen=True, kw_only=True):
    """Limits of what one snapshot takes of the values that it is shown."""

    depth: int = DEPTH
    """Levels of what holds other values."""
    items: int = CONTEXT_KEYS
    """Items of each that does."""
    text: int = STRING_CHARACTERS
    """Characters of one text."""
    values: int = VALUES
    """Values altogether."""
    characters: int = CHARACTERS
    """Characters of text altogether."""


OPEN_FIELDS: Final = Bounds()
_WORD_CHARACTERS: Final = 100
_INT64: Final = range(-(2**63), 2**63)
_PLAIN: Final = (int, float, bool, type(None))
_arguments_of: Final = BaseException.__dict__["args"].__get__
_SCALARS: Final = (bytes, complex, date, datetime, str, timedelta)
_ZONES: Final = ("datetime", "zoneinfo", "pytz", "dateutil", "pendulum")


def clean_text(value: object, characters: int = STRING_CHARACTERS) -> str:
    """Return ``str(value)``, bounded and encodable as UTF-8; a note if it cannot be obtained."""
    try:
        # str.__str__ makes an exact str of a subclass, which msgspec would refuse.
        text = value if type(value) is str else str.__str__(str(value))
    except BaseException as error:  # noqa: BLE001 - a host's __str__ may raise anything, and handle_error may not
        pass_interruption(error)
        return f"<unprintable {name_of(type(value))[:NAME_CHARACTERS]}>"
    if len(text) > characters:
        text = text[:characters]
    return encodable(text)


def encodable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot represent, by question marks."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


class Snapshot:
    """Turns values into JSON, such as the open fields of one event, and records the paths of cut values.

    Args:
        bounds: what all of them may take.
        held: they are values that nobody handed over, such as local variables. Then no code of theirs runs
            at all: not a mapping's or an error's either.
    """

    def __init__(self, bounds: Bounds = OPEN_FIELDS, *, held: bool = False) -> None:
        self.truncated: list[str] = []
        self._path: list[str] = []
        self._bounds = bounds
        self._held = held
        self._manner_of = held_manner_of if held else manner_of
        self._values = bounds.values
        self._characters = bounds.characters

    def mapping(self, name: str, value: object, *, alone: str = "value") -> dict[str, Any]:
        """Convert a field that is an object; a value that is not a mapping goes under a single key."""
        if value is None:
            return {}
        self._path = [name]
        found = self._value(value, 0)
        return found if type(found) is dict else {alone: found}

    def value(self, name: str, value: object) -> Any:
        """Convert one value by itself."""
        self._path = [name]
        return self._value(value, 0)

    def scalars(self, name: str, value: object) -> dict[str, Scalar]:
        """Convert a field whose values are scalars; anything deeper becomes text."""
        found = self.mapping(name, value)
        return {key: item if _is_scalar(item) else clean_text(item, 200) for key, item in found.items()}

    def text(self, name: str, value: object, characters: int = STRING_CHARACTERS) -> str:
        """Convert a field that is text."""
        text = clean_text(value, characters + 1)
        if len(text) <= characters:
            return text
        self.cut(name)
        return text[:characters]

    def cut(self, path: str) -> None:
        """Record that the value at this path is incomplete."""
        if len(self.truncated) < TRUNCATED_PATHS and path not in self.truncated:
            self.truncated.append(path)

    def _cut_here(self) -> None:
        self.cut(".".join(self._path)[:NAME_CHARACTERS])

    def _value(self, value: object, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is int or kind is float or kind is bool or value is None:
            return _plain(value)
        self._values -= 1
        if depth >= self._bounds.depth or self._values < 0:
            self._cut_here()
            return self._text(f"<{_name_of(kind)}>")
        here = len(self._path)
        try:
            return self._read(value, self._manner_of(kind), depth)
        except BaseException as error:  # noqa: BLE001 - what a host's object is made of may raise anything
            pass_interruption(error)
            del self._path[here:]
            self._cut_here()
            return f"<unreadable {_name_of(kind)}>"

    def _read(self, value: object, manner: Manner, depth: int) -> Any:
        form = manner.form
        if form is Form.MAPPING:
            return self._mapping(value, manner.base, depth)
        if form is Form.ITEMS:
            return self._items(items_of(value, manner.base), depth)
        if form is Form.NAMED or form is Form.FIELDS:
            return self._named(value, manner, depth)
        if form is Form.ENUM:
            return self._value(enum_value(value), depth + 1)
        if form is Form.OPAQUE:
            if not self._held:  # of which nobody expects more
                self._cut_here()
            return self._text(f"<{_name_of(type(value))}>")
        plain = _SIMPLE[form](value, manner.base)
        return self._text(plain) if type(plain) is str else _plain(plain)

    def _fields(self, value: object, names: Sequence[str], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in islice(names, self._bounds.items):
            self._path.append(name)
            if self._values > 0:
                self._values -= 1
                try:
                    found[name] = self._value(field_of(value, name), depth + 1)
                except Unset:
                    self._cut_here()
                    found[name] = "<unset>"
            else:
                self._cut_here()
            self._path.pop()
        if len(names) > self._bounds.items:
            self._cut_here()
        return found

    def _mapping(self, value: Any, base: type, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        here = len(self._path)
        try:
            pairs = dict.items(value) if base is dict else value.items()
            self._add(found, pairs, depth)
            if (dict.__len__(value) if base is dict else len(value)) > self._bounds.items:
                self._cut_here()
        except BaseException as error:  # noqa: BLE001 - a host's mapping may raise while it is read; what was read stays
            pass_interruption(error)
            del self._path[here:]
            self._cut_here()
        return found

    def _named(self, value: object, manner: Manner, depth: int) -> dict[str, Any]:
        if manner.form is Form.FIELDS:
            return self._fields(value, manner.names, depth)
        found: dict[str, Any] = {}
        self._add(found, zip(manner.names, items_of(value, manner.base), strict=False), depth)
        if len(manner.names) > self._bounds.items:
            self._cut_here()
        return found

    def _add(self, found: dict[str, Any], pairs: Iterable[tuple[object, object]], depth: int) -> None:
        for key, item in islice(pairs, self._bounds.items):
            name = self._held_key(key, depth) if self._held else clean_text(key, NAME_CHARACTERS)
            self._path.append(name)
            if self._values > 0:
                self._values -= 1
                found[name] = self._value(item, depth + 1)
            else:
                self._cut_here()
            self._path.pop()

    def _held_key(self, key: object, depth: int) -> str:
        """A key of any type as text, which counts like any other."""
        found = self._value(key, depth + 1)
        return found if type(found) is str else self._text(str(found))

    def _items(self, value: Iterable[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for index, item in enumerate(islice(value, self._bounds.items + 1)):
            if index == self._bounds.items or self._values <= 0:
                self._cut_here()
                break
            self._values -= 1
            self._path.append(str(index))
            found.append(self._value(item, depth + 1))
            self._path.pop()
        return found

    def _text(self, value: object) -> str:
        most = self._bounds.text
        text = clean_text(value, most + 1)
        allowed = min(most, max(self._characters, 0))
        if len(text) > allowed:
            self._cut_here()
            text = _without_cut_word(text[: max(allowed - 1, 0)]) if self._held else text[:allowed]
        self._characters -= len(text)
        return text


def _without_cut_word(text: str) -> str:
    """Return a text that was cut, with a sign of it, and without a half word or number at its end.

    Half a secret is told by no looks. What is longer than a word stays.
    """
    head, blank, tail = text.rpartition(" ")
    kept = head if blank and len(tail) <= _WORD_CHARACTERS else text
    return f"{kept.rstrip('0123456789 -')}…"


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _error_text(value: Any, _: type) -> str:
    return f"{name_of(type(value))}: {clean_text(value)}"


def _raised_text(value: Any, _: type) -> str:
    arguments = _arguments_of(value)
    told = arguments[0] if len(arguments) == 1 and type(arguments[0]) is str else None
    return f"<{_name_of(type(value))}>" if told is None else f"{_name_of(type(value))}: {told}"


def _bytes_text(value: Any, base: Any) -> str:
    # By the base's own: a subclass may have put anything in the place of slicing and of its buffer.
    part = base.__getitem__(value, slice(0, STRING_CHARACTERS))
    return repr(part.tobytes() if base is memoryview else bytes(part))


def _class_text(value: Any, _: type) -> str:
    module, name = module_text(value), str.__str__(qualname_of(value))
    return f"<class '{name if module in ('', 'builtins') else f'{module}.{name}'}'>"


def _function_text(value: Any, _: type) -> str:
    # The name alone of a built-in one: its qualified name is asked of the type that it is bound to.
    name = value.__qualname__ if type(value) is FunctionType else value.__name__
    module = value.__module__
    return f"<function {f'{module}.' if type(module) is str else ''}{str.__str__(name)}>"


def _scalar_value(value: Any, _: type) -> object:
    plain = value.item()
    if type(plain) in _PLAIN:
        return plain
    return str(plain) if type(plain) in _SCALARS else f"<{_name_of(type(value))}>"


def _shown_text(value: Any, base: Any) -> str:
    # Without a text of its own a base asks for the type's, which may be a subclass's.
    show = base.__repr__ if base.__str__ is object.__str__ else base.__str__
    return clean_text(show(value), STRING_CHARACTERS + 1)


def _moment_text(value: Any, base: Any) -> str:
    zone = base.__dict__["tzinfo"].__get__(value)
    if zone is not None and module_text(type(zone)).partition(".")[0] not in _ZONES:
        value = base.replace(value, tzinfo=None)
    return str(value)


def _name_of(kind: type) -> str:
    """Return the name of a type as a plain text: a class may be named by a subclass of it."""
    return str.__str__(name_of(kind))[:NAME_CHARACTERS]


_SIMPLE: Final[Mapping[Form, Callable[[Any, Any], object]]] = MappingProxyType(
    {
        Form.TEXT: lambda value, _: clean_text(str.__str__(value), STRING_CHARACTERS + 1),
        Form.INTEGER: lambda value, _: int.__int__(value),
        Form.NUMBER: lambda value, _: float.__float__(value),
        Form.SCALAR: _scalar_value,
        Form.SHOWN: _shown_text,
        Form.MOMENT: _moment_text,
        Form.BYTES: _bytes_text,
        Form.ERROR: _error_text,
        Form.RAISED: _raised_text,
        Form.CLASS: _class_text,
        Form.FUNCTION: _function_text,
    }
)
"""The text, number or None that stands for a value that contains no others."""


def _plain(value: Any) -> Scalar:
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if type(value) is not int or value in _INT64:
        return value  # type: ignore[no-any-return]  # bool, None or an int that fits
    # Python refuses to print integers of more than 4,300 digits, and shorter ones take long.
    return str(value) if value.bit_length() <= 512 else f"<int of {value.bit_length()} bits>"
