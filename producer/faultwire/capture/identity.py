"""Details that tell faults at one line apart: an exception's errno, HTTP status, SQLSTATE and the like."""

import errno
from typing import Any, Final

from faultwire_shared.event import Scalar
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import ancestors_of, module_of
from faultwire_shared.memo import Memo
from faultwire_shared.snapshot import clean_text

MARK: Final = "__faultwire_error_id__"
"""Attribute of an exception that was handed over: to whom, and as which event."""
_CHARACTERS: Final = 100
_NUMBER_MAXIMUM: Final = 1_000_000

# Where drivers and HTTP clients keep each detail, the first that answers wins. A dot goes deeper:
# psycopg has its names in `diag`, requests and httpx the status in `response`.
_PLACES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("http_status", ("status", "status_code", "response.status_code")),
    ("sqlstate", ("sqlstate", "pgcode")),
    ("sqlite_errorname", ("sqlite_errorname",)),
    ("constraint_name", ("constraint_name", "diag.constraint_name")),
    ("column_name", ("column_name", "diag.column_name")),
    ("table_name", ("table_name", "diag.table_name")),
)
_BUILT_IN: Final = ("builtins", "asyncio.exceptions")
_NAMES: Final = frozenset(place.partition(".")[0] for _, places in _PLACES for place in places)
_SPEAKING: Final = _NAMES | {"__getattr__", "__getattribute__", "__dict__"}
_OURS: Final = (object, BaseException)
_silent: Final[Memo[int, tuple[type, bool]]] = Memo()


def identity_of(error: BaseException) -> dict[str, Scalar]:
    """The identity details of an exception; ids, amounts, file names and free text are never among them."""
    found: dict[str, Scalar] = {}
    if isinstance(error, OSError) and isinstance(error.errno, int):
        number = errno.errorcode.get(error.errno) or _scalar(error.errno)
        if number is not None:
            found["errno"] = number
    if module_of(type(error)) in _BUILT_IN and not error.__dict__.keys() - {MARK}:
        return found
    if _NAMES.isdisjoint(error.__dict__) and _is_silent(type(error)):
        return found
    for name, places in _PLACES:
        for place in places:
            value = _read(error, place)
            if value is not None:
                found[name] = value
                break
    return found


def _is_silent(kind: type) -> bool:
    """True if no class of an exception has any of the names: then only the exception itself may."""
    known = _silent.get(id(kind))
    if known is None:
        is_silent = all(base in _OURS or _SPEAKING.isdisjoint(vars(base)) for base in ancestors_of(kind))
        known = _silent[id(kind)] = kind, is_silent
    return known[1]


def _read(error: BaseException, place: str) -> Scalar:
    try:
        value: Any = error
        for name in place.split("."):
            value = getattr(value, name, None)
            if value is None:
                return None
        return _scalar(value)
    except BaseException as failure:  # noqa: BLE001 - a property of a foreign exception may raise anything
        pass_interruption(failure)
        return None


def _scalar(value: object) -> Scalar:
    if isinstance(value, int):  # http.HTTPStatus is one
        return int.__int__(value) if abs(value) < _NUMBER_MAXIMUM else None
    if isinstance(value, str) and 0 < len(value) <= _CHARACTERS:
        return clean_text(value, _CHARACTERS)
    return None
