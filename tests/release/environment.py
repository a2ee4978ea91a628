"""An environment with nothing in it but what a user's pip puts there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
INSTALL_SECONDS: Final = 600.0
_INSTALLED: Final = "import importlib.metadata as m; print(*(one.name.lower() for one in m.distributions()))"


class Environment:
    """A virtual environment of its own, with the versions that this repository pins."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "environment/bin"
        make = [sys.executable, "-m", "venv", "--without-pip", str(self.bin.parent)]
        subprocess.run(make, check=True, timeout=INSTALL_SECONDS)
        self._pins = home / "pins.txt"
        # Without their hashes: with them pip refuses a file, as the wheel is here.
        pinned = re.findall(r"^\S+==[^\\\n]+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        self._pins.write_text("\n".join(pinned))
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_", "HTTPS_"))}
        self.variables = kept | {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": os.environ.get("HOME", str(home)),
            "VIRTUAL_ENV": str(self.bin.parent),
            "XDG_STATE_HOME": str(home / "state"),
            "LANG": "C.UTF-8",
        }

    def install(self, wheel: Path, extras: str = "") -> None:
        """What ``pip install 'faultwire[extras]'`` does."""
        wanted = f"faultwire[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
        self._pip("install", "--no-compile", "--constraint", str(self._pins), wanted)

    def run(self, *command: str) -> str:
        """Run a program of the environment to its end; returns what it printed."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """The same for what may fail."""
        return self._attempt([str(self.bin / command[0]), *command[1:]])

    def distributions(self) -> set[str]:
        """What is installed."""
        return set(self.run("python", "-c", _INSTALLED).split())

    def _pip(self, *words: str) -> None:
        """This interpreter's pip, at work there: the one that comes with Python 3.11 takes twice as long."""
        place = ["--quiet", "--disable-pip-version-check", "--python", str(self.bin / "python")]
        done = self._attempt([sys.executable, "-m", "pip", *place, *words])
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"

    def _attempt(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
