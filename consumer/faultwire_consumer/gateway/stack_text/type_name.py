"""The type of an exception as languages print it, split from the module or package that it lives in."""

import builtins
from itertools import takewhile
from typing import Final

_MAIN: Final = "__main__"
_BUILT_IN: Final = "builtins"
_LONGEST: Final = 400
_OPTIONAL: Final = frozenset(("", "<locals>"))


def split_python_type(name: str) -> tuple[str, str]:
    """Return module and qualified name of ``shop.models.Order.DoesNotExist``.

    Classes are written with a capital first and modules are not, but for a few classes such as
    ``socket.timeout``: those are the last word. Python leaves the module off for two alone, its built-in
    types and the main program's.
    """
    if "." not in name:
        return (_BUILT_IN if _is_built_in(name) else _MAIN), name
    parts = name.split(".")
    modules = list(takewhile(lambda part: not part[:1].isupper(), parts[:-1]))
    if "<locals>" in modules:
        modules = modules[: max(modules.index("<locals>") - 1, 0)]
    return ".".join(modules), ".".join(parts[len(modules) :])


def split_package_type(name: str) -> tuple[str, str]:
    """Return package and class of a language that always prints both, as ``java.io.IOException``."""
    package, _, last = name.rpartition(".")
    return package, last


def short_type(name: str) -> str:
    """Return a type's own name: what is the same whether or not whoever printed it knew the module."""
    return name.rpartition(".")[2].rpartition("$")[2] or name


def is_type_name(text: str) -> bool:
    """Return True for what may be the name of a type: words, dots, and what marks functions in Python."""
    if not text or len(text) > _LONGEST:
        return False
    words = text.replace("$", "_").split(".")
    return all(word.isidentifier() or word in _OPTIONAL for word in words) and words[-1] not in _OPTIONAL


def _is_built_in(name: str) -> bool:
    return isinstance(getattr(builtins, name, None), type)
