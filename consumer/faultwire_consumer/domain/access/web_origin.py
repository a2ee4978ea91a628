"""Origins of web pages, and patterns of them: pages that may send with a DSN's key.

An origin is what browsers send as ``Origin`` (RFC 6454): scheme, host and a port that is not the usual one.
"""

import re
from collections.abc import Sequence
from typing import Final

ORIGINS_MAX: Final = 20
ORIGIN_CHARACTERS: Final = 200
_SCHEME: Final = "[a-z][a-z0-9+.-]*"
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
_ORIGIN: Final = re.compile(rf"({_SCHEME})://({_HOST})(?::([0-9]{{1,5}}))?")
_PATTERN: Final = re.compile(rf"({_SCHEME})://((?:\*\.)?{_HOST})(?::([0-9]{{1,5}}|\*))?")
_USUAL: Final = {"http": "80", "https": "443"}
ANY: Final = "*"


def normal_origin_pattern(text: str) -> str | None:
    """Return a pattern as it is kept; None where it is none.

    One is ``https://shop.example``, ``https://*.shop.example`` for all names below, each with ``:8443`` or
    with ``:*`` for every port, or ``*`` for all pages. A slash at the end and the usual port go.
    """
    pattern = text.strip().lower().removesuffix("/")
    if pattern == ANY:
        return ANY
    found = _PATTERN.fullmatch(pattern) if len(pattern) <= ORIGIN_CHARACTERS else None
    return None if found is None else _write(*found.groups())


def may_come_from(patterns: Sequence[str], origin: str) -> bool:
    """Return True if one of the patterns is of this page, or if there is none.

    Args:
        patterns: as `normal_origin_pattern` returned them.
        origin: the header of a request, which is anybody's text. ``null``, of pages without an origin,
            is only of ``*``.
    """
    if not patterns or ANY in patterns:
        return True
    found = _ORIGIN.fullmatch(origin.lower()) if len(origin) <= ORIGIN_CHARACTERS else None
    if found is None:
        return False
    exact = _write(*found.groups())
    return any(_fits(pattern, exact) for pattern in patterns)


def _write(scheme: str, host: str, port: str | None) -> str:
    shown = "" if port in {None, _USUAL.get(scheme)} else f":{port}"
    return f"{scheme}://{host}{shown}"


def _fits(pattern: str, origin: str) -> bool:
    if pattern.endswith(":*"):
        pattern, origin = pattern.removesuffix(":*"), re.sub(r":[0-9]+$", "", origin)
    scheme, _, host = pattern.partition("://")
    if not host.startswith("*."):
        return pattern == origin
    return origin.startswith(f"{scheme}://") and origin.endswith(host.removeprefix("*"))
