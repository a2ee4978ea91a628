"""Any Python value as bounded JSON: anything that a host passes becomes something that can be encoded.

It never raises and never takes long: depth, keys, characters and the number of values are bounded,
and a value that misbehaves is replaced by a word in angle brackets.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from faultwire_shared.event import CONTEXT_KEYS, DEPTH, NAME_CHARACTERS, STRING_CHARACTERS, Scalar
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import (
    KNOWN,
    Form,
    Manner,
    Unset,
    enum_value,
    field_of,
    items_of,
    manner_of,
    module_of,
    name_of,
    qualname_of,
)

VALUES: Final = 1_000
"""Maximum number of values in one event's open fields (context, tags, user, request) together."""
CHARACTERS: Final = 96 * 1024
"""Maximum number of characters of text in one event's open fields together."""
TRUNCATED_PATHS: Final = 50

_INT64: Final = range(-(2**63), 2**63)
_PLAIN: Final = (int, float, bool, type(None))


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
    """Turns the open fields of one event into JSON, and records the paths of cut values."""

    def __init__(self) -> None:
        self.truncated: list[str] = []
        self._path: list[str] = []
        self._values = VALUES
        self._characters = CHARACTERS

    def mapping(self, name: str, value: object, *, alone: str = "value") -> dict[str, Any]:
        """Convert a field that is an object; a value that is not a mapping goes under a single key."""
        if value is None:
            return {}
        self._path = [name]
        found = self._value(value, 0)
        return found if type(found) is dict else {alone: found}

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
        if kind in _PLAIN:
            return _plain(value)
        self._values -= 1
        if depth >= DEPTH or self._values < 0:
            self._cut_here()
            return f"<{name_of(kind)[:NAME_CHARACTERS]}>"
        here = len(self._path)
        try:
            return self._read(value, KNOWN.get(kind) or manner_of(kind), depth)
        except BaseException as error:  # noqa: BLE001 - what a host's object is made of may raise anything
            pass_interruption(error)
            del self._path[here:]
            self._cut_here()
            return f"<unreadable {name_of(kind)[:NAME_CHARACTERS]}>"

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
            self._cut_here()
            return f"<{name_of(type(value))[:NAME_CHARACTERS]}>"
        plain = _SIMPLE[form](value, manner.base)
        return self._text(plain) if type(plain) is str else _plain(plain)

    def _fields(self, value: object, names: Iterable[str], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in islice(names, CONTEXT_KEYS):
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
        return found

    def _mapping(self, value: Any, base: type, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        here = len(self._path)
        try:
            pairs = dict.items(value) if base is dict else value.items()
            self._add(found, pairs, depth)
            if (dict.__len__(value) if base is dict else len(value)) > CONTEXT_KEYS:
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
        return found

    def _add(self, found: dict[str, Any], pairs: Iterable[tuple[object, object]], depth: int) -> None:
        for key, item in islice(pairs, CONTEXT_KEYS):
            name = clean_text(key, NAME_CHARACTERS)
            self._path.append(name)
            if self._values > 0:
                self._values -= 1
                found[name] = self._value(item, depth + 1)
            else:
                self._cut_here()
            self._path.pop()

    def _items(self, value: Iterable[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        for index, item in enumerate(islice(value, CONTEXT_KEYS + 1)):
            if index == CONTEXT_KEYS or self._values <= 0:
                self._cut_here()
                break
            self._values -= 1
            self._path.append(str(index))
            found.append(self._value(item, depth + 1))
            self._path.pop()
        return found

    def _text(self, value: object) -> str:
        text = clean_text(value, STRING_CHARACTERS + 1)
        allowed = min(STRING_CHARACTERS, max(self._characters, 0))
        if len(text) > allowed:
            self._cut_here()
            text = text[:allowed]
        self._characters -= len(text)
        return text


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _error_text(value: Any, _: type) -> str:
    return f"{name_of(type(value))}: {clean_text(value)}"


def _bytes_text(value: Any, _: type) -> str:
    return repr(memoryview(value)[:STRING_CHARACTERS].tobytes())


def _class_text(value: Any, _: type) -> str:
    module = module_of(value)
    return f"<class '{qualname_of(value) if module == 'builtins' else f'{module}.{qualname_of(value)}'}'>"


def _function_text(value: Any, _: type) -> str:
    return f"<function {clean_text(value.__module__)}.{clean_text(value.__qualname__)}>"


_SIMPLE: Final[Mapping[Form, Callable[[Any, Any], object]]] = MappingProxyType(
    {
        Form.TEXT: lambda value, _: clean_text(str.__str__(value), STRING_CHARACTERS + 1),
        Form.INTEGER: lambda value, _: int.__int__(value),
        Form.NUMBER: lambda value, _: float.__float__(value),
        Form.SCALAR: lambda value, _: plain if type(plain := value.item()) in _PLAIN else str(plain),
        Form.SHOWN: lambda value, base: clean_text(base.__str__(value), STRING_CHARACTERS + 1),
        Form.BYTES: _bytes_text,
        Form.ERROR: _error_text,
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
