"""Names of JavaScript's files without what a build puts into them: hashes, and folders of one build.

``main.4f3a9c.js``, ``index-DdQ3xk2a.js`` and ``vendors~main.abcdef12.chunk.js`` are ``main.js``,
``index.js`` and ``vendors~main.js``; chunks that are numbered are one: their numbers change with each build.
"""

import re
from functools import lru_cache
from typing import Final

_NAMES: Final = 2048
_FILE_CHARACTERS: Final = 300
"""A longer path is read from its end."""

_ORIGIN: Final = re.compile(r"^[A-Za-z][\w+.-]{0,30}://[^/?#]*")
_ENDING: Final = re.compile(
    r"((?:\.(?:min|chunk|bundle|prod|production|dev|development|async)){0,4})\.([mc]?[jt]sx?|vue|svelte)$"
)
_APART: Final = re.compile(r"([.~_-])")
_EVALUATED: Final = ("eval at ", "eval code", "<eval", "blob:")

_WORDS: Final = re.compile(r"(?:[A-Z]?[a-z]{2,}|\d+)(?:[-_]?(?:[A-Z][a-z]{2,}|\d+))*")
"""Words in camel case, with or without numbers behind them: people wrote them."""
_ROLLUP_CHARACTERS: Final = 8
_ROLLUP: Final = re.compile(r"(?=[\w-]*[A-Z])[\w-]{8}")
_HASH: Final = re.compile(
    r"(?=[a-f]*\d)[0-9a-f]{5,64}|[0-9a-f]{8,64}|\d{5,64}"
    r"|(?![A-Za-z]+\d+$)(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[0-9A-Za-z]{6,64}"
)
_BUILD: Final = re.compile(r"(?=[A-Za-z_-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{16,64}")
"""The folder of one build, as Next.js names it."""


@lru_cache(_NAMES)
def plain_file(path: str) -> str:
    """Return a file's path without its build's marks; ``eval`` for code that is in no file."""
    if path.startswith(_EVALUATED):
        return "eval"
    path = _ORIGIN.sub("", path, count=1)[-_FILE_CHARACTERS:].replace("\\", "/")
    path = path.partition("?")[0].partition("#")[0]
    *folders, name = path.split("/")
    return "/".join([*(one for one in folders if not _BUILD.fullmatch(one)), _plain_name(name)])


def _plain_name(name: str) -> str:
    ending = _ENDING.search(name)
    if ending is None:
        return name
    stem = name[: ending.start()]
    return f"{_without_hash(stem) or '0'}.{ending[2]}"


def _without_hash(stem: str) -> str:
    """Cut the hash at a name's end, and whatever hashes stand between its words; a hash alone is a number."""
    head, tail = stem[:-_ROLLUP_CHARACTERS], stem[-_ROLLUP_CHARACTERS:]
    if (not head or head[-1] in "-.") and _ROLLUP.fullmatch(tail) and not _WORDS.fullmatch(tail):
        return head[:-1]
    kept = ""
    parts = ["", *_APART.split(stem)]
    for apart, word in zip(parts[::2], parts[1::2], strict=True):
        if not _HASH.fullmatch(word):
            kept += f"{apart}{word}" if kept else word
    return kept
