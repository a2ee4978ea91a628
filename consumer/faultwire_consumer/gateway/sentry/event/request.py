"""The HTTP request during which an error happened."""

from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import mapping_of, pairs_of, text_of

_PAIRS: Final = ("headers", "query_string", "cookies", "env")
_TEXTS: Final = ("query_string", "cookies")
"""May be one text, as HTTP has them."""


def read_request(given: dict[str, Any], notes: ReadingNotes) -> dict[str, Any]:
    """Read a request; headers, arguments and cookies may be an object or a list of pairs.

    What it says by name stays by name, so that the worker knows a secret by that.
    """
    told = given.get("request")
    if told is None:
        told = given.get("sentry.interfaces.Http")
    if told is not None and not isinstance(told, dict):
        notes.leave_out("request")
    found = {name: value for name, value in mapping_of(told).items() if value is not None}
    for name in _PAIRS:
        if name in found and not (name in _TEXTS and isinstance(found[name], str)):
            pairs = pairs_of(found.pop(name))
            if pairs is None:
                notes.leave_out(f"request.{name}")
            elif pairs:
                found[name] = _named(pairs)
    return found


def _named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs by name; a name that is there twice has both values, as a proxy joins them."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if value is not None:
            found.setdefault(name, []).append(_joined(value))
    return {name: ",".join(values) for name, values in found.items()}


def _joined(value: Any) -> str:
    return ",".join(map(text_of, value)) if isinstance(value, list) else text_of(value)
