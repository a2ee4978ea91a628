"""Modules that are laid out as installers leave them, each under a name of its own."""

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Final
from zipfile import ZipFile

import pytest

from faultwire.capture.code_owner import CodeOwner
from faultwire.capture.frame import FrameReader

RUNS: Final = "def run(): raise LookupError('nothing')\n"
LOCAL: Final[Mapping[str, object]] = {"url": "file:///build/desk", "dir_info": {}}

_numbers = count(1)


def new_name(base: str) -> str:
    """A module's name that no other test has loaded."""
    return f"{base}{next(_numbers)}"


@dataclass
class Package:
    """A distribution of one module, and what its metadata says."""

    module: str
    code: str = RUNS
    name: str = ""
    needs: Sequence[str] = ()
    url: Mapping[str, object] | None = None
    installer: str = "pip"
    metadata: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        name = self.name or self.module
        folder, source = f"{name}-1.0.dist-info", f"{self.module.replace('.', '/')}.py"
        found = {
            source: self.code,
            f"{folder}/METADATA": "\n".join(
                ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
                + [f"Requires-Dist: {need}" for need in self.needs]
                + ["", "Requires-Dist: faultwire is what the long description says", ""]
            ),
            f"{folder}/INSTALLER": f"{self.installer}\n",
            f"{folder}/RECORD": f"{source},sha256=x,1\n{folder}/METADATA,sha256=x,1\n{folder}/RECORD,,\n",
            **{f"{folder}/{name}": text for name, text in self.metadata.items()},
        }
        if self.url is not None:
            found[f"{folder}/direct_url.json"] = json.dumps(self.url)
        return found

    def install(self, place: Path) -> "Package":
        write(place, self.files())
        return self


def write(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pack(archive: Path, files: dict[str, str]) -> None:
    with ZipFile(archive, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)


def load(name: str, place: Path, patch: pytest.MonkeyPatch) -> ModuleType:
    patch.syspath_prepend(str(place))
    module = importlib.import_module(name)
    patch.delitem(sys.modules, name)
    patch.setitem(sys.modules, name, module)
    return module


def is_own(module: ModuleType, owner: CodeOwner | None = None) -> bool:
    """True if the frames in which the module fails count as the service's own."""
    try:
        module.run()
    except Exception as error:  # noqa: BLE001 - whatever the module raises
        (own,) = {frame.in_app for frame in FrameReader(owner=owner).read(error.__traceback__)[0][1:]}
        return own
    raise AssertionError("it did not fail")
