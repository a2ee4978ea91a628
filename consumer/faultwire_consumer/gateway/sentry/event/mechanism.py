"""The way in which an exception was caught, and the details that tell it from another of its type."""

from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.shape import mapping_of
from faultwire_shared.event import Scalar

_DETAILS: Final = 10
_CHARACTERS: Final = 100
SYNTHETIC: Final = "synthetic"
"""Attribute of an exception that the client made up, of a thrown text for one: it has the client's frames."""


def mechanism_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return what an exception says of how it was caught."""
    return mapping_of(given.get("mechanism"))


def is_unhandled(given: dict[str, Any]) -> bool:
    """Return whether nobody caught it: often a cause says so, and the exception that was raised does not."""
    return mechanism_of(given).get("handled") is False


def attributes_of(given: dict[str, Any]) -> dict[str, Scalar]:
    """Return the errno, signal or system's error of an exception, and what its client added."""
    mechanism = mechanism_of(given)
    meta = mapping_of(mechanism.get("meta"))
    found: dict[str, Scalar] = {}
    if mechanism.get("synthetic") is True:
        found[SYNTHETIC] = True
    for kind, names in (("errno", ("name", "number")), ("signal", ("name", "number"))):
        told = mapping_of(meta.get(kind))
        _add(found, kind, next((told[name] for name in names if told.get(name) is not None), None))
    system = mapping_of(meta.get("ns_error"))
    _add(found, "ns_error_domain", system.get("domain"))
    _add(found, "ns_error_code", system.get("code"))
    for name, value in list(mapping_of(mechanism.get("data")).items())[:_DETAILS]:
        _add(found, name[:_CHARACTERS], value)
    return found


def system_attributes(told: Any) -> dict[str, Scalar]:
    """Return the details of an error of Node's system calls, whose text may not tell them."""
    given = mapping_of(told)
    found: dict[str, Scalar] = {}
    code = given.get("code")
    if isinstance(code, str) and code.isupper():
        _add(found, "errno", code)
    _add(found, "syscall", given.get("syscall"))
    return found


def _add(found: dict[str, Scalar], name: str, value: Any) -> None:
    if name in found or value is None or not isinstance(value, str | int | float):
        return
    found[name] = value[:_CHARACTERS] if isinstance(value, str) else value
