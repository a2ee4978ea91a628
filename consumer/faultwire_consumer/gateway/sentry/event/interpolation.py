"""A message's template with its parameters put in, in any language's form, and never an error."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.shape import is_number, text_of
from faultwire_shared.event import STRING_CHARACTERS

_PERCENT: Final = re.compile(
    r"%(?:(?P<escaped>%)|(?:\((?P<name>[^()]{1,100})\))?[-+#0]{0,5}\d{0,3}(?:\.(?P<digits>\d{1,2}))?[hlLqjzt]{0,2}"
    r"(?P<form>[acdefgijopqrstuvxEGOTX]))"
)
_BRACES: Final = re.compile(r"\{(?P<name>[\w.]{0,100})(?:![rsa])?(?::[^{}]{0,20})?\}")
_FIXED: Final = ("f", "F")
_CHARACTERS: Final = 4 * STRING_CHARACTERS


def interpolate(template: str, params: Any) -> str:
    """Put parameters, a list, an object or one value, into ``%s``, ``%(name)s``, ``{name}`` or ``{0}``.

    A place without a parameter stays as it is, and parameters without a place are left out. What a
    width or a flag would do to a number is nothing that tells two messages apart, so it is not done.
    """
    template = template[:_CHARACTERS]
    if params is None or params in ([], {}):
        return template
    params = params if isinstance(params, list | dict) else [params]
    pattern = _PERCENT if _has_places(template) else _BRACES
    return pattern.sub(_filling(params), template)


def _has_places(template: str) -> bool:
    return any(not found["escaped"] for found in _PERCENT.finditer(template))


def _filling(params: list[Any] | dict[str, Any]) -> Callable[[re.Match[str]], str]:
    ordered: Iterator[Any] = iter(params if isinstance(params, list) else ())

    def fill(place: re.Match[str]) -> str:
        parts = place.groupdict()
        if parts.get("escaped"):
            return "%"
        try:
            value = _param(params, parts["name"], ordered)
        except (LookupError, ValueError, StopIteration):
            return place[0]
        return _shown(value, parts.get("form") or "", parts.get("digits"))

    return fill


def _param(params: list[Any] | dict[str, Any], name: str | None, ordered: Iterator[Any]) -> Any:
    if not name:
        return next(ordered)
    return params[name] if isinstance(params, dict) else params[int(name)]


def _shown(value: Any, form: str, digits: str | None) -> str:
    if form in _FIXED and is_number(value):
        return f"{float(value):.{digits or 6}f}"[:STRING_CHARACTERS]
    return ("null" if value is None else text_of(value))[:STRING_CHARACTERS]
