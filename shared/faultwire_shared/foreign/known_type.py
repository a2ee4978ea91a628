"""Decides, once for each type, how a value of it is read without running code that it brings along.

An object may do anything when it is asked for its text, an attribute or its items: a Django ``QuerySet``, a
lazy object and a relationship of SQLAlchemy's go to the database. So what is known is read by the
interpreter's own means, past whatever a subclass puts in their place, and anything else is only named.
"""

import enum
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, time
from enum import Enum
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, Final

from msgspec import Struct, StructMeta

from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.memo import Memo

# By type's own descriptors: a metaclass may raise for each of these names.
name_of: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__
qualname_of: Final[Callable[[type], str]] = type.__dict__["__qualname__"].__get__
module_of: Final[Callable[[type], object]] = type.__dict__["__module__"].__get__
ancestors_of: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
_space_of: Final[Callable[[type], Mapping[str, Any]]] = type.__dict__["__dict__"].__get__


class Form(Enum):
    """A way to read a value."""

    TEXT = enum.auto()
    INTEGER = enum.auto()
    NUMBER = enum.auto()
    BYTES = enum.auto()
    ENUM = enum.auto()
    ERROR = enum.auto()
    """By its own text."""
    RAISED = enum.auto()
    """An error, by its type and a plain argument."""
    CLASS = enum.auto()
    FUNCTION = enum.auto()
    SCALAR = enum.auto()
    """One of numpy's numbers, which gives a plain one."""
    MAPPING = enum.auto()
    """By its base's own ``items``."""
    ITEMS = enum.auto()
    """By its base's own iteration."""
    NAMED = enum.auto()
    """A tuple whose items have names."""
    FIELDS = enum.auto()
    """An object that declares its fields, of which those are read that are set."""
    SHOWN = enum.auto()
    """By its base's ``str``."""
    MOMENT = enum.auto()
    """The same of a time, whose zone may be somebody else's."""
    OPAQUE = enum.auto()
    """Not at all: its type is named."""


class Manner(Struct, frozen=True):
    """The form of a type's values, the base that reads them, and the names of their fields."""

    form: Form
    base: type
    names: tuple[str, ...] = ()


_BASES: Final[Mapping[type, Form]] = {
    str: Form.TEXT,
    int: Form.INTEGER,
    float: Form.NUMBER,
    **dict.fromkeys((bytes, bytearray, memoryview), Form.BYTES),
    Enum: Form.ENUM,
    BaseException: Form.ERROR,
    type: Form.CLASS,
    **dict.fromkeys((FunctionType, BuiltinFunctionType), Form.FUNCTION),
    dict: Form.MAPPING,
    **dict.fromkeys((list, tuple, set, frozenset, deque, range, array), Form.ITEMS),
    **dict.fromkeys((complex, type(Ellipsis), type(NotImplemented)), Form.SHOWN),
}
_AS_TEXT: Final = frozenset(
    (
        *("datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid", "zoneinfo"),
        *("asyncpg", "bson", "pendulum", "whenever", "yarl"),
    )
)
"""Packages whose values have a text of their own and load nothing; only named, as importing takes time."""
_LOADING: Final = ("dbm", "shelve", "sqlalchemy.ext", "sqlalchemy.orm")
"""Packages whose mappings fetch what they hold."""
_HELD: Final = ("multidict", "sqlalchemy.engine", "werkzeug.datastructures")
"""Packages whose sequences hold what they say, besides the standard library's."""

_FORMS: Final = {id(base): form for base, form in _BASES.items()} | {id(BaseException): Form.RAISED}
"""Forms of what nobody handed over, by identity: a metaclass may say in any way what a type is equal to."""

KNOWN: Final[Memo[type, Manner]] = Memo()
"""What was decided so far."""
_HELD_KNOWN: Final[Memo[int, tuple[type, Manner]]] = Memo()
"""The same for what nobody handed over; the type is held, so that its identity stays its own."""


def manner_of(kind: type) -> Manner:
    """Return how values of a type are read."""
    known = KNOWN.get(kind)
    if known is None:
        known = KNOWN[kind] = _judged(kind, _judge)
    return known


def held_manner_of(kind: type) -> Manner:
    """Return how a value is read that nobody meant to show, such as a local variable.

    Not a line runs that may be somebody else's, so less is read: of mappings only dictionaries, of errors
    no text, and of what has a text of its own no subclass.
    """
    known = _HELD_KNOWN.get(id(kind))
    if known is None:
        known = _HELD_KNOWN[id(kind)] = kind, _judged(kind, _judge_held)
    return known[1]


def _judged(kind: type, judge: Callable[[type], Manner]) -> Manner:
    try:
        return judge(kind)
    except BaseException as error:  # noqa: BLE001 - a metaclass may raise anything, and its values are only named
        pass_interruption(error)
        return Manner(Form.OPAQUE, kind)


def _judge(kind: type) -> Manner:
    ancestors = ancestors_of(kind)
    for base in ancestors:
        form = _BASES.get(base)
        if form is not None:
            names = _tuple_names(ancestors) if base is tuple else ()
            return Manner(Form.NAMED if names else form, base, names)
    if issubclass(kind, Mapping) and not _is_of(ancestors, _LOADING):
        return Manner(Form.MAPPING, kind)
    if issubclass(kind, Sequence | Set) and _is_held(kind):
        return Manner(Form.ITEMS, kind)
    fields = _field_names(ancestors)
    return _judge_single(kind, ancestors) if fields is None else Manner(Form.FIELDS, kind, fields)


def _judge_held(kind: type) -> Manner:
    ancestors = ancestors_of(kind)
    for base in ancestors:
        form = _FORMS.get(id(base))
        if form is not None:
            names = _tuple_names(ancestors) if base is tuple else ()
            return Manner(Form.NAMED if names else form, base, names)
    fields = _field_names(ancestors)
    if fields is not None:
        return Manner(Form.FIELDS, kind, fields)
    if kind is datetime or kind is time:
        return Manner(Form.MOMENT, kind)
    return _judge_single(kind, (kind,)) if _is_found(kind) else Manner(Form.OPAQUE, kind)


def _is_found(kind: type) -> bool:
    """Return True for a type that stands in the module that it names, and does not only say so."""
    module = sys.modules.get(module_text(kind))
    return type(module) is ModuleType and module.__dict__.get(name_of(kind)) is kind


def _judge_single(kind: type, ancestors: Iterable[type]) -> Manner:
    for base in ancestors:
        if _root_of(base) in _AS_TEXT:
            return Manner(Form.SHOWN, base)
    if any((_root_of(base), name_of(base)) == ("numpy", "generic") for base in ancestors_of(kind)):
        return Manner(Form.SCALAR, kind)
    return Manner(Form.OPAQUE, kind)


def module_text(kind: type) -> str:
    """Return the module that a type names; empty where a class has put something else in its place."""
    module = module_of(kind)
    return module if type(module) is str else ""


def _root_of(kind: type) -> str:
    return module_text(kind).partition(".")[0]


def _is_of(ancestors: Iterable[type], packages: tuple[str, ...]) -> bool:
    return any(f"{module_text(base)}.".startswith(f"{name}.") for base in ancestors for name in packages)


def _is_held(kind: type) -> bool:
    return _root_of(kind) in sys.stdlib_module_names or _is_of((kind,), _HELD)


def _tuple_names(ancestors: Iterable[type]) -> tuple[str, ...]:
    for base in ancestors:
        names = _space_of(base).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return ()


def _field_names(ancestors: Iterable[type]) -> tuple[str, ...] | None:
    """Return the fields that a dataclass, or a class of attrs, msgspec or pydantic declares."""
    for base in ancestors:
        space = _space_of(base)
        if type(fields := space.get("__dataclass_fields__")) is dict:
            return tuple(name for name, field in fields.items() if not _is_argument(field))
        attributes: Any = space.get("__attrs_attrs__")
        if issubclass(type(attributes), tuple):
            return tuple(
                field.name for field in tuple.__iter__(attributes) if _root_of(type(field)) == "attr"
            )
        if type(fields := space.get("__pydantic_fields__")) is dict:
            return tuple(fields)
        if type(base) is StructMeta and base is not Struct:
            return base.__struct_fields__
    return None


def _is_argument(field: Any) -> bool:
    """Return True for an ``InitVar``, which no object has."""
    if _root_of(type(field)) != "dataclasses":
        return True
    return getattr(getattr(field, "_field_type", None), "name", "") == "_FIELD_INITVAR"


class Unset(Exception):  # noqa: N818 - named for what it says of the field; it is handled, never shown
    """A field has no value, or none that is at hand without running code."""


def field_of(value: object, name: str) -> object:
    """Return a field's value, as it lies in the object.

    Raises:
        Unset: it has none.
    """
    own = _own_names(value)
    if name in own:
        return own[name]
    for base in ancestors_of(type(value)):
        space = _space_of(base)
        if name in space:
            return _stored(space[name], value)
    raise Unset


def _own_names(value: object) -> Mapping[str, Any]:
    for base in ancestors_of(type(value)):
        found = _space_of(base).get("__dict__")
        if type(found) is GetSetDescriptorType:
            own = found.__get__(value)
            return own if type(own) is dict else {}
    return {}


def _stored(found: object, value: object) -> object:
    """Return a slot's value, or a default that the class holds."""
    if type(found) is MemberDescriptorType:
        try:
            return found.__get__(value)
        except AttributeError:
            raise Unset from None
    if any("__get__" in _space_of(base) for base in ancestors_of(type(found))):
        raise Unset
    return found


def enum_value(value: object) -> object:
    """Return the value of an enum's member."""
    return _own_names(value).get("_value_")


def items_of(value: Any, base: Any) -> Iterator[object]:
    """Return what a sequence or set holds."""
    return base.__iter__(value)  # type: ignore[no-any-return]  # of the base's own
