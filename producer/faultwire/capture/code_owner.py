"""The owner of a piece of code: the service itself or a library, however either of them is installed.

A library is what an installer has put where it lies: there is metadata beside it. Of what is installed, the
service's own is what was built from a source tree, what needs faultwire, and what has made the manager.
"""

import os
import re
import sys
from collections.abc import Mapping
from types import FrameType, ModuleType
from typing import Final

from faultwire.capture.installed import Distribution, place_at, top_name
from faultwire_shared.foreign.known_type import module_of
from faultwire_shared.memo import Memo

CLIENT: Final = "faultwire"
_OURS: Final = ("faultwire", "faultwire_shared")
_CALLERS: Final = 50
"""Calls that are looked at for the one that has made a manager."""
_NEEDS: Final = 500
"""Distributions that are looked at to find that one of them needs faultwire."""

_LIBRARY: Final = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - pathlib adds 10 ms to the import
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_DOTTED: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")

Code = tuple[str, str]
"""The file of a module, and its name."""


class CodeOwner:
    """Judges each file once, by what lies beside it; never raises.

    Args:
        maker: the code that has made the manager, which is the service's own.
    """

    def __init__(self, maker: Code | None = None) -> None:
        self._maker = maker
        self._known: Memo[Code, bool] = Memo()

    def is_own(self, path: str, module: str) -> bool:
        """True if the code of this file, which runs under that module's name, is the service's own."""
        known = self._known.get((path, module))
        if known is None:
            try:
                known = self._judge(path, module)
            except Exception:  # noqa: BLE001 - a disk, an archive or a module of the host's may fail in any way
                known = not _lies_among_packages(path)
            self._known[path, module] = known
        return known

    def _judge(self, path: str, module: str) -> bool:
        file = _file_of(path, module)
        if file is None:
            return not path.startswith("<frozen ")
        if not _is_frozen() and file.startswith(_LIBRARY) and not _lies_among_packages(file):
            return False
        place, inner = split_path(file, module)
        if not place:
            return True
        if _is_frozen() and top_name(inner) in sys.stdlib_module_names:
            return False
        distribution = place_at(place).distribution_of(inner)
        if distribution is not None:
            return (
                distribution is self._makers() or distribution.is_of_a_folder or _needs_client(distribution)
            )
        return self._is_own_without_metadata(place, inner, module)

    def _is_own_without_metadata(self, place: str, inner: str, module: str) -> bool:
        if self._has_made(place, inner):
            return True
        if _is_frozen():  # PyInstaller takes metadata along for few
            return module == "__main__" or _package_uses_client(top_name(inner))
        # Copied there by hand, unless it is the metadata that somebody took away to save space.
        return not _lies_among_packages(f"{place}{os.sep}") or _keeps_metadata()

    def _has_made(self, place: str, inner: str) -> bool:
        if self._maker is None:
            return False
        its_place, its_inner = split_path(*self._maker)
        return place == its_place and top_name(inner) == top_name(its_inner)

    def _makers(self) -> Distribution | None:
        if self._maker is None:
            return None
        place, inner = split_path(*self._maker)
        return place_at(place).distribution_of(inner) if place else None


def maker_of(frame: FrameType | None) -> Code | None:
    """The code on whose behalf a manager is made: the nearest caller that knows faultwire by name.

    Never raises. A container that makes objects for others, as for dependency injection, knows nothing of it.
    """
    try:
        for _ in range(_CALLERS):
            if frame is None:
                return None
            module = frame.f_globals.get("__name__")
            if isinstance(module, str) and module.partition(".")[0] not in _OURS and _knows_client(frame):
                file = _file_of(frame.f_code.co_filename, module)
                return None if file is None else (file, module)
            frame = frame.f_back
    except Exception:  # noqa: BLE001 - a caller's names may stand for anything
        return None
    return None


def split_path(path: str, module: str) -> Code:
    """The place from which a file is imported, empty where none is known, and the file's path in it."""
    for part in _INSTALLED:
        before, found, after = path.rpartition(part)
        if found:
            egg, _, inner = after.partition(f".egg{os.sep}")
            return (f"{before}{part}{egg}.egg", inner) if inner else (before + part[:-1], after)
    inner = shown_path(path, module)
    return (path[: -len(inner) - 1], inner) if inner != path else ("", path)


def shown_path(path: str, module: str) -> str:
    """The path below the root of its package: ``billing/pay.py``, the same on every machine."""
    dotted = module.replace(".", os.sep)
    for tail in (f"{dotted}.py", f"{dotted}{os.sep}__init__.py", f"{dotted}{os.sep}__main__.py"):
        if path.endswith(os.sep + tail):
            return tail
    roots = [root for root in sys.path if root and path.startswith(root.rstrip(os.sep) + os.sep)]
    if roots:
        return path[len(max(roots, key=len).rstrip(os.sep)) + 1 :]
    return path


def _file_of(path: str, module: str) -> str | None:
    """The file itself, or for code that was generated or compiled its module's; None where there is none."""
    if path.startswith(os.sep):
        return path
    # attrs names what it generates by the class; dataclasses runs it in the class's module.
    for name in (module, *(_DOTTED.findall(path) if path.startswith("<") else ())):
        found = _loaded(name)
        file = getattr(found, "__file__", None)
        if isinstance(file, str) and file.startswith(os.sep):
            return file
    return None


def _loaded(name: str) -> ModuleType | None:
    while name:
        found = sys.modules.get(name)
        if found is not None:
            return found
        name = name.rpartition(".")[0]
    return None


def _is_frozen() -> bool:
    """True in a program that PyInstaller or its like has made: all of it lies in one place, Python too."""
    return bool(getattr(sys, "frozen", False))


def _lies_among_packages(path: str) -> bool:
    return any(part in path for part in _INSTALLED)


def _needs_client(distribution: Distribution) -> bool:
    """True if it needs faultwire, itself or by what it needs: no library that others publish does."""
    seen, waiting = {distribution.name}, [distribution]
    while waiting and len(seen) < _NEEDS:
        needs = waiting.pop().needs
        if CLIENT in needs:
            return True
        for name in needs - seen:
            seen.add(name)
            found = _distribution_named(name)
            if found is not None:
                waiting.append(found)
    return False


def _distribution_named(name: str) -> Distribution | None:
    for path in sys.path:
        found = place_at(path).distributions.get(name) if path else None
        if found is not None:
            return found
    return None


def _keeps_metadata() -> bool:
    return _distribution_named(CLIENT) is not None


def _package_uses_client(top: str) -> bool:
    return any(
        _uses_client(module.__dict__)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == top and isinstance(module, ModuleType)
    )


def _knows_client(frame: FrameType) -> bool:
    named = any(name.partition(".")[0] in _OURS for name in frame.f_code.co_names)
    return named or _uses_client(frame.f_globals)


def _uses_client(names: Mapping[str, object]) -> bool:
    return any(map(_comes_from_client, list(names.values())))


def _comes_from_client(value: object) -> bool:
    kind = type(value)
    name: object
    if kind is ModuleType:
        name = value.__dict__.get("__name__")
    else:
        # By the type's own descriptor: an object of the host's may answer in any way.
        name = module_of(value if issubclass(kind, type) else kind)  # type: ignore[arg-type]  # it is a type
    return isinstance(name, str) and name.partition(".")[0] in _OURS
