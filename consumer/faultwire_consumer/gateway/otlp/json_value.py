"""Objects, attributes and values of OTLP's JSON, whatever stands in their place."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from faultwire_consumer.gateway.otlp.limit import ITEMS, VALUE_DEPTH
from faultwire_consumer.gateway.otlp.record import Attributes
from faultwire_consumer.gateway.otlp.value import plain_bytes, plain_float, plain_integer, plain_text


def camel(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object with its keys in one spelling: ``time_unix_nano`` is allowed too."""
    if not any("_" in key for key in held):
        return held
    return {_camel_key(key): value for key, value in held.items()}


def held_in(held: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object in another; an empty one where there is none."""
    found = held.get(name)
    return camel(found) if isinstance(found, dict) else {}


def dicts_of(held: Mapping[str, Any], name: str, most: int) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list in an object; none where it is not there."""
    found = held.get(name)
    items = found if isinstance(found, list) else []
    return (camel(one) for one in islice(items, most) if isinstance(one, dict))


def read_attributes(held: Mapping[str, Any], most: int) -> Attributes:
    """Read the attributes of a resource, a record or an event."""
    return {
        plain_text(pair.get("key")): read_value(pair.get("value"))
        for pair in dicts_of(held, "attributes", most)
    }


def read_value(given: object, depth: int = 0) -> Any:
    """Read an attribute's value; None for what is none, and for what is too deep."""
    if not isinstance(given, dict):
        return None
    for key, value in camel(given).items():
        if key in _SCALARS:
            return _SCALARS[key](value)
        if key in _SEVERAL and isinstance(value, dict) and depth < VALUE_DEPTH:
            return _SEVERAL[key](value, depth + 1)
    return None


def _object(held: dict[str, Any], depth: int) -> Attributes:
    pairs = dicts_of(held, "values", ITEMS)
    return {plain_text(pair.get("key")): read_value(pair.get("value"), depth) for pair in pairs}


def _list(held: dict[str, Any], depth: int) -> list[Any]:
    values = held.get("values")
    return [read_value(one, depth) for one in values[:ITEMS]] if isinstance(values, list) else []


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _bytes(value: object) -> str:
    """Return base64 as it is everywhere else here: exporters leave the padding off, and use two alphabets."""
    text = plain_text(value).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return plain_bytes(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return plain_text(value)


def _camel_key(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


_SCALARS: Final[Mapping[str, Callable[[object], Any]]] = {
    "stringValue": plain_text,
    "boolValue": _bool,
    "intValue": plain_integer,
    "doubleValue": plain_float,
    "bytesValue": _bytes,
}
_SEVERAL: Final[Mapping[str, Callable[[dict[str, Any], int], Any]]] = {
    "arrayValue": _list,
    "kvlistValue": _object,
}
