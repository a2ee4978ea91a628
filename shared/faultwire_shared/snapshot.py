"""Any Python value as bounded JSON: anything that a host passes becomes something that can be encoded.

It never raises and never takes long: depth, keys, characters and the number of values are bounded,
and a value that misbehaves is replaced by a word in angle brackets.
"""

import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import islice
from typing import Any, Final

from faultwire_shared.event import CONTEXT_KEYS, DEPTH, NAME_CHARACTERS, STRING_CHARACTERS, Scalar

VALUES: Final = 1_000
"""Maximum number of values in one event's open fields (context, tags, user, request) together."""
CHARACTERS: Final = 96 * 1024
"""Maximum number of characters of text in one event's open fields together."""
TRUNCATED_PATHS: Final = 50

_INT64: Final = range(-(2**63), 2**63)
_PLAIN: Final = (int, float, bool, type(None))
_TEXT_LIKE: Final = (str, bytes, bytearray, memoryview)
_AS_TEXT: Final = frozenset(("datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"))
"""Modules whose types are clearer by ``str`` than by ``repr``; only named, as importing them takes time."""

# By type's own descriptors: a metaclass may raise for each of these names.
name_of: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__
qualname_of: Final[Callable[[type], str]] = type.__dict__["__qualname__"].__get__
module_of: Final[Callable[[type], object]] = type.__dict__["__module__"].__get__
ancestors_of: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__


def clean_text(value: object, characters: int = STRING_CHARACTERS) -> str:
    """Return ``str(value)``, bounded and encodable as UTF-8; a note if it cannot be obtained."""
    try:
        # str.__str__ makes an exact str of a subclass, which msgspec would refuse.
        text = value if type(value) is str else str.__str__(str(value))
    except Exception:  # noqa: BLE001 - a host's __str__ may raise anything, and handle_error may not
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
            return self._container(value, depth)
        except Exception:  # noqa: BLE001 - iteration, properties and __repr__ of a host's object may raise
            del self._path[here:]
            self._cut_here()
            return f"<unreadable {name_of(kind)[:NAME_CHARACTERS]}>"

    def _container(self, value: object, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, Sequence | Set) and not isinstance(value, _TEXT_LIKE):
            return self._items(value, depth)
        names = getattr(type(value), "__dataclass_fields__", None)
        if names is not None:
            return self._mapping({name: getattr(value, name) for name in names}, depth)
        plain = _simplified(value)
        return self._text(plain) if type(plain) is str else _plain(plain)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        here = len(self._path)
        try:
            for key, item in islice(value.items(), CONTEXT_KEYS):
                name = clean_text(key, NAME_CHARACTERS)
                self._path.append(name)
                if self._values > 0:
                    self._values -= 1
                    found[name] = self._value(item, depth + 1)
                else:
                    self._cut_here()
                self._path.pop()
            if len(value) > CONTEXT_KEYS:
                self._cut_here()
        except Exception:  # noqa: BLE001 - a host's mapping may raise while it is read; what was read stays
            del self._path[here:]
            self._cut_here()
        return found

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


def _simplified(value: object) -> object:
    """Convert a value that contains no others to a str, int, float, bool or None."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, int):
        return value if isinstance(value, bool) else int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, BaseException):
        return f"{name_of(type(value))}: {clean_text(value)}"
    if isinstance(value, bytes | bytearray | memoryview):
        return repr(bytes(value[:STRING_CHARACTERS]))
    as_text = isinstance(value, str) or any(module_of(kind) in _AS_TEXT for kind in ancestors_of(type(value)))
    return clean_text(value if as_text else repr(value), STRING_CHARACTERS + 1)


def _plain(value: Any) -> Scalar:
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if type(value) is not int or value in _INT64:
        return value  # type: ignore[no-any-return]  # bool, None or an int that fits
    # Python refuses to print integers of more than 4,300 digits, and shorter ones take long.
    return str(value) if value.bit_length() <= 512 else f"<int of {value.bit_length()} bits>"
