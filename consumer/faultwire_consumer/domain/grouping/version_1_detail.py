"""Identity details by version 1, from attributes or else from any text; it never changes.

Never ids, amounts, names or free text: those differ between two sightings of one fault.
"""

import errno
import re
from collections.abc import Mapping
from typing import Any, Final

_TEXT_CHARACTERS: Final = 512

# Attribute names of drivers and HTTP clients -> our name for the detail.
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "errno": "errno",
    "status": "status",
    "status_code": "status",
    "http_status": "status",
    "http.response.status_code": "status",
    "sqlstate": "sqlstate",
    "pgcode": "sqlstate",
    "sqlite_errorname": "sqlite",
    "constraint": "constraint",
    "constraint_name": "constraint",
    "table": "table",
    "table_name": "table",
    "column": "column",
    "column_name": "column",
    "operation": "operation",
}

_DETAIL: Final = re.compile(
    r"""
    \[(?:Errno|WinError)\ (?P<errno>-?\d{1,5})\]
  | \b(?:HTTP(?:/\d(?:\.\d)?)?|[Ss]tatus(?:[ _]code)?|[Rr]esponse)[ :=]{1,3}(?P<status>[1-5]\d\d)\b
  | ^(?P<status_first>[45]\d\d)(?:,\ message=|\ (?:Client|Server)\ Error)
  | \bSQLSTATE[ \[:=]{1,2}(?P<sqlstate>[0-9A-Z]{5})\b
  | \bconstraint\ "(?P<constraint>[^"\s]{1,100})"
  | \bconstraint\ failed:\ (?P<sqlite_constraint>[\w.]{1,100})
  | \b(?:no\ such\ column:|column)\ "?(?P<column>[\w.]{1,100})"?
  | \b(?:no\ such\ table:|relation)\ "?(?P<table>[\w.]{1,100})"?
    """,
    re.VERBOSE,
)
_KINDS: Final = {"status_first": "status", "sqlite_constraint": "constraint"}


def details_of(attributes: Mapping[str, Any], text: str) -> tuple[str, ...]:
    """Return the identity details of one exception, sorted, as ``name=value``."""
    known = {
        f"{_ATTRIBUTES[name]}={_errno_name(value) if name == 'errno' else value}"
        for name, value in attributes.items()
        if name in _ATTRIBUTES and value not in (None, "")
    }
    if known:
        return tuple(sorted(known))
    found = detail_in_text(text)
    return (found,) if found else ()


def detail_in_text(text: str) -> str | None:
    """Find the first identity detail that a text names, for events whose publisher sent no attributes."""
    match = _DETAIL.search(text[:_TEXT_CHARACTERS])
    if match is None or match.lastgroup is None:
        return None
    kind, value = match.lastgroup, match.group(match.lastgroup)
    return f"{_KINDS.get(kind, kind)}={_errno_name(value) if kind == 'errno' else value}"


def _errno_name(value: Any) -> str:
    """Name an errno: 111 and ECONNREFUSED are one detail; numbers differ between systems, names do not."""
    try:
        return errno.errorcode.get(int(value), str(value))
    except (TypeError, ValueError):
        return str(value)[:100]
