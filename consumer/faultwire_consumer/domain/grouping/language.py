"""The language of a service, as the name of the library that made its event tells it."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

Language = Literal[
    "", "javascript", "ruby", "go", "java", "php", "dotnet", "rust", "elixir", "swift", "python", "other"
]
"""Empty for what faultwire's own clients make, and for publishers that write its wire themselves."""

_FAMILIES: Final = ("sentry", "raven", "opentelemetry")
_WORDS: Final[dict[str, Language]] = {
    **dict.fromkeys(("javascript", "js", "node", "nodejs", "webjs", "browser"), "javascript"),
    **dict.fromkeys(("java", "kotlin", "android", "jvm", "logback", "log4j2", "jul"), "java"),
    **dict.fromkeys(("php", "symfony", "laravel", "wordpress"), "php"),
    **dict.fromkeys(("dotnet", "csharp", "aspnetcore", "sharp"), "dotnet"),
    **dict.fromkeys(("elixir", "erlang"), "elixir"),
    **dict.fromkeys(("cocoa", "swift"), "swift"),
    "ruby": "ruby",
    "go": "go",
    "rust": "rust",
    "python": "python",
}
_ENDINGS: Final[dict[str, Language]] = {
    **dict.fromkeys(("js", "cjs", "mjs", "jsx", "ts", "tsx", "vue"), "javascript"),
    **dict.fromkeys(("java", "kt", "scala"), "java"),
    "rb": "ruby",
    "go": "go",
    "php": "php",
    "cs": "dotnet",
    "rs": "rust",
    "ex": "elixir",
    "py": "python",
    "swift": "swift",
}
_APART: Final = re.compile(r"[^a-z0-9]+")
_NAME_CHARACTERS: Final = 100
_NAMES: Final = 512
_FILE_CHARACTERS: Final = 300


@lru_cache(_NAMES)
def language_of(library: str) -> Language:
    """Return the language by the name of a library, as in ``sentry.javascript.node`` and ``raven-ruby``.

    Only names of the families that come in by the gateway have one: nothing that was grouped before there
    was a gateway is read in another way.
    """
    first, *words = _APART.split(library[:_NAME_CHARACTERS].lower())
    if first not in _FAMILIES:
        return ""
    return next((_WORDS[word] for word in words if word in _WORDS), "other")


def language_of_files(files: Iterable[str]) -> Language:
    """Return the language of the first file that tells one by its ending; ``other`` if none does."""
    for file in files:
        ending = file[-_FILE_CHARACTERS:].partition("?")[0].rpartition(".")[2]
        if ending in _ENDINGS:
            return _ENDINGS[ending]
    return "other"
