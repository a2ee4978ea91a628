"""The distributions that lie in one folder or archive, by the metadata that installers leave beside them.

Not by ``importlib.metadata``: it takes 20 ms to import, and reads all there is to say whose one file is.
"""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Final, Protocol

from faultwire_shared.memo import Memo

ENTRIES: Final = 10_000
"""Entries of a folder that are looked at; one with more holds other things than packages."""
_CHARACTERS: Final = 4 * 1024 * 1024
_METADATA: Final = re.compile(r"(?P<name>.+?)-\d.*\.(?:dist-info|egg-info|egg)")
"""A source tree's own ``shop.egg-info`` has no version in its name, and says that nothing is installed."""
_REQUIRES: Final = re.compile(r"^Requires-Dist:\s*([\w.-]+)(?!.*;.*\bextra\b)", re.MULTILINE)
_NEEDED_LINE: Final = re.compile(r"^([\w.-]+)", re.MULTILINE)
_FIRST_NAME: Final = re.compile(r'^"?([^/,."\n]+)', re.MULTILINE)


class Distribution:
    """One that is installed: what it needs, where it came from, and what it has brought."""

    def __init__(self, name: str, folder: str, source: "_Source") -> None:
        self.name = name
        self._folder = folder
        self._source = source

    @cached_property
    def needs(self) -> frozenset[str]:
        """The distributions that it cannot do without; those of its extras are left out."""
        if self._folder.lower().endswith("egg-info"):
            always = self._read("requires.txt").partition("[")[0]
            return frozenset(map(normal_name, _NEEDED_LINE.findall(always)))
        headers = self._read("METADATA").partition("\n\n")[0]
        return frozenset(map(normal_name, _REQUIRES.findall(headers)))

    @cached_property
    def is_of_a_folder(self) -> bool:
        """True if it was built from somebody's source tree (PEP 610), as by ``pip install .``.

        What conda has built says so too, of a folder on the machine that built it.
        """
        return '"dir_info"' in self._read("direct_url.json") and self._read("INSTALLER").strip() != "conda"

    def top_names(self) -> set[str]:
        """The modules and packages that it has brought, by the first part of their names."""
        return set(_FIRST_NAME.findall(self._record() or self._read("top_level.txt")))

    def has(self, file: str) -> bool:
        """True if it has brought this file."""
        return f"\n{file}," in "\n" + self._record()

    def _record(self) -> str:
        return self._read("RECORD")

    def _read(self, name: str) -> str:
        return self._source.read(f"{self._folder}/{name}")


class ImportPlace:
    """A folder or archive from which modules are imported."""

    def __init__(self, path: str) -> None:
        source = _source_at(path)
        self.distributions: dict[str, Distribution] = {}
        for folder in source.entries() if source else ():
            # An egg is a place of its own, with what tells of it inside.
            match = _METADATA.fullmatch(path.rpartition(os.sep)[2] if folder == "EGG-INFO" else folder)
            if match is not None and source is not None and not folder.endswith(".egg"):
                name = normal_name(match["name"])
                self.distributions[name] = Distribution(name, folder, source)

    def distribution_of(self, file: str) -> Distribution | None:
        """The distribution that has brought the file, whose path begins in this place."""
        top = top_name(file)
        named = self.distributions.get(normal_name(top))
        if named is not None:  # nearly all are called as what they bring, and nothing has to be read
            return named
        brought = self._by_top_name.get(top, ())
        if len(brought) > 1:  # parts of one namespace
            file = file.replace(os.sep, "/")
            return next((one for one in brought if one.has(file)), brought[0])
        return brought[0] if brought else None

    @cached_property
    def _by_top_name(self) -> dict[str, list[Distribution]]:
        found: dict[str, list[Distribution]] = {}
        for one in self.distributions.values():
            for name in one.top_names():
                found.setdefault(name, []).append(one)
        return found


def place_at(path: str) -> ImportPlace:
    """The place with this path, read once in a process's life."""
    place = _places.get(path)
    if place is None:
        place = _places[path] = ImportPlace(path)
    return place


def top_name(file: str) -> str:
    """The first part of a module's name, by its file in its place: ``shop`` of ``shop/pay.py``."""
    return file.partition(os.sep)[0].partition(".")[0]


def normal_name(name: str) -> str:
    """A distribution's name as its spellings have it in common (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class _Source(Protocol):
    def entries(self) -> Iterator[str]: ...

    def read(self, name: str) -> str: ...


class _Folder:
    def __init__(self, path: str) -> None:
        self._path = path

    def entries(self) -> Iterator[str]:
        with os.scandir(self._path) as found:
            yield from (entry.name for entry in islice(found, ENTRIES))

    def read(self, name: str) -> str:
        try:
            with open(f"{self._path}/{name}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib adds 10 ms to the import
                return file.read(_CHARACTERS)
        except OSError:
            return ""


class _Archive:
    def __init__(self, path: str, inside: str) -> None:
        # Here, as only who runs from an archive needs it.
        from zipfile import ZipFile  # noqa: PLC0415 - see above

        self._prefix = f"{inside}/" if inside else ""
        with ZipFile(path) as archive:
            self._texts = {
                name.removeprefix(self._prefix): archive.read(name).decode(errors="replace")
                for name in archive.namelist()
                if name.startswith(self._prefix) and "-info/" in name
            }

    def entries(self) -> Iterator[str]:
        yield from {name.partition("/")[0] for name in self._texts}

    def read(self, name: str) -> str:
        return self._texts.get(name, "")


def _source_at(path: str) -> _Source | None:
    if os.path.isdir(path):  # noqa: PTH112 - as above
        return _Folder(path)
    inside = ""
    while path not in ("", os.sep):
        if os.path.isfile(path):  # noqa: PTH113 - as above
            return _Archive(path, inside)
        path, _, last = path.rpartition(os.sep)
        inside = f"{last}/{inside}" if inside else last
    return None


_places: Memo[str, ImportPlace] = Memo()
