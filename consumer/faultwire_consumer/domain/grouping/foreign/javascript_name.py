"""Names of JavaScript's functions: one spelling for what engines spell in many, and what minifiers made."""

import re
from functools import lru_cache
from typing import Final

from faultwire_consumer.domain.grouping.call import NAME_CHARACTERS

ANONYMOUS: Final = "<anonymous>"
_NAMES: Final = 2048

_ALIAS: Final = re.compile(r"\ \[as\ [^\]]{1,100}\]$")
_NAMELESS: Final = re.compile(
    r"\?|<?anonymous>?|<(?:computed|unknown)>|eval(?:\ code)?|(?:global|module)\ code"
    r"|_on(?:Timeout|Immediate)|\d+|",
)
_LEADING: Final = ("async ", "new ", "get ", "set ", "static ", "*")
_PASSED_ON: Final = (
    "apply",
    "call",
    "bind",
    "sentryWrapped",
    "handleCallbackErrors",
    "withScope",
    "withIsolationScope",
)
"""Functions that call what they were given, and those that SDKs put around an application's."""
_SHORT: Final = re.compile(r"[A-Za-z_$][\w$]?|[\w$](?=[\w$]?[A-Z0-9_$])[\w$]{2}")
_READABLE_CHARACTERS: Final = 4
"""Shorter names in a bundle may be a minifier's."""


@lru_cache(_NAMES)
def plain_name(name: str) -> str:
    """Return a function's own name, without its receiver and the way it was called.

    ``Object.<anonymous>``, ``?`` and Firefox's ``pay/<`` are one; so are ``new Order`` and ``Order``, and
    ``Object.pay``, ``n.pay`` and ``pay``: which of them is written depends on the engine, on the object at
    hand and on the build.
    """
    name = _ALIAS.sub("", name[:NAME_CHARACTERS].strip())
    while name.startswith(_LEADING):
        name = name.partition(" ")[2] if " " in name else name[1:]
    if name.endswith("<"):
        return ANONYMOUS
    name = name.rpartition("/")[2].rpartition(".")[2]
    return ANONYMOUS if _NAMELESS.fullmatch(name) else name


def is_minified(name: str) -> bool:
    """True for a plain name that a minifier made: of one or two characters, or three that are no word."""
    return _SHORT.fullmatch(name) is not None


def is_telling(name: str) -> bool:
    """True for a plain name that people gave: properties keep theirs in a bundle."""
    return len(name) >= _READABLE_CHARACTERS and name != ANONYMOUS and name not in _PASSED_ON
