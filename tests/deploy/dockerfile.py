"""A Dockerfile as a list of instructions, and its steps done in an empty directory instead of an image.

Every absolute path of a step stands below that directory. What both stages share is shared by its
path: a virtual environment works only where it was made, in an image as much as here.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STEP_SECONDS: Final = 600.0
_FROM_BUILD: Final = "--from=build"
_ABSOLUTE: Final = re.compile(r"(?<![\w./:*-])/(?=[a-z])")


@dataclass(frozen=True)
class Instruction:
    """One instruction with its words as they stand, continued lines joined."""

    name: str
    text: str


def instructions_of(dockerfile: Path) -> list[Instruction]:
    """The instructions in their order."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


@dataclass
class Replay:
    """The image in the making."""

    context: Path
    root: Path
    workdir: Path = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    """The last ENTRYPOINT, CMD, HEALTHCHECK, USER and STOPSIGNAL."""
    copied: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workdir = self.root
        python = self.root / "usr/local"
        subprocess.run([sys.executable, "-m", "venv", python], check=True, timeout=STEP_SECONDS)
        self.environment = self._bare_environment()

    def run(self, dockerfile: Path) -> None:
        """Do every instruction."""
        for instruction in instructions_of(dockerfile):
            self._do(instruction)

    @property
    def command(self) -> list[str]:
        """What a container of the image runs."""
        words: list[str] = json.loads(self.settings["ENTRYPOINT"]) + json.loads(self.settings["CMD"])
        return [self._find(words[0]), *words[1:]]

    @property
    def health_command(self) -> list[str]:
        """What the engine asks a container with."""
        words: list[str] = json.loads(self.settings["HEALTHCHECK"].partition("CMD ")[2])
        return [self._find(words[0]), *words[1:]]

    def _do(self, instruction: Instruction) -> None:
        name, text = instruction.name, instruction.text
        if name == "FROM":
            self.environment = self._bare_environment()
            self.workdir = self.root
        elif name == "ENV":
            for word in shlex.split(text):
                key, _, value = word.partition("=")
                self.environment[key] = self._below_root(value.replace("$PATH", self.environment["PATH"]))
        elif name == "WORKDIR":
            self.workdir = self.root / text.lstrip("/")
            self.workdir.mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            self._copy(shlex.split(text))
        elif name == "RUN":
            command = ["/bin/sh", "-c", self._below_root(text)]
            subprocess.run(command, cwd=self.workdir, env=self.environment, check=True, timeout=STEP_SECONDS)
        else:
            self.settings[name] = text

    def _copy(self, words: list[str]) -> None:
        *sources, target = [word for word in words if not word.startswith("--")]
        if _FROM_BUILD in words:
            (source,) = sources
            if source != target:
                shutil.copytree(self.root / source.lstrip("/"), self.root / target.lstrip("/"))
            return
        for source in sources:
            self.copied.append(source)
            self._copy_from_context(self.context / source, target)

    def _copy_from_context(self, source: Path, target: str) -> None:
        place = self.workdir / target
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__", "*.db"))
        else:
            shutil.copy(source, place / source.name if target.endswith("/") else place)

    def _below_root(self, text: str) -> str:
        return _ABSOLUTE.sub(f"{self.root}/", text)

    def _find(self, name: str) -> str:
        found = shutil.which(name, path=self.environment["PATH"])
        assert found is not None, f"{name} is not in the image"
        return found

    def _bare_environment(self) -> dict[str, str]:
        """Nothing of this process's but how pip finds its index."""
        kept = dict(_pip_settings(os.environ))
        return {**kept, "PATH": f"{self.root}/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def _pip_settings(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("PIP_") or name in ("HOME", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE"):
            yield name, value
