"""Secrets that a database's error shows by their place alone: a statement's parameters in SQLAlchemy's words.

``[SQL: INSERT INTO users (email, password) VALUES (?, ?)] [parameters: ('ann@example.org', 'hunter2')]``
"""

import re
from collections.abc import Iterator
from typing import Final

from faultwire_shared.scrub.pair import IsDenied, bracket_end
from faultwire_shared.scrub.value import SCRUBBED

_PARAMETERS: Final = "[parameters: "
_STATEMENT: Final = "[SQL: "
_COLUMNS: Final = re.compile(
    r"\bINSERT\s{1,8}INTO\s{1,8}[^\s(]{1,200}\s{0,8}\(([^()]{0,4000})", re.IGNORECASE
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*+")
_COMPARED: Final = re.compile(
    r"\b([A-Za-z_]\w*+)[\"`\]]?\s{0,4}(?:[=<>!]{1,2}|\bI?LIKE\b|\bIN\b)\s{0,4}\(?(?:\w{1,30}\()?(?:\?|%s|\$[0-9]|:[A-Za-z_])",
    re.IGNORECASE,
)


def scrub_statements(text: str, is_denied: IsDenied) -> str:
    """Remove all parameters of a statement in which one stands for a denied name."""
    kept: list[str] = []
    copied = read = 0
    while (at := text.find(_PARAMETERS, read)) >= 0:
        begun = text.rfind(_STATEMENT, read, at)
        read = at + len(_PARAMETERS)
        if begun >= 0 and text[read : read + 1] in ("(", "[") and _names_secret(text[begun:at], is_denied):
            kept += (text[copied:read], SCRUBBED)
            copied = read = bracket_end(text, read)
    return "".join([*kept, text[copied:]]) if kept else text


def _names_secret(statement: str, is_denied: IsDenied) -> bool:
    return any(is_denied(name) for name in _names(statement))


def _names(statement: str) -> Iterator[str]:
    for columns in _COLUMNS.finditer(statement):
        yield from _NAME.findall(columns[1])
    for compared in _COMPARED.finditer(statement):
        yield compared[1]
