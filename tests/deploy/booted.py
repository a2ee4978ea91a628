"""A machine under a real systemd: a root of Debian, booted by systemd-nspawn on this machine's network.

What is written to it lies in memory and goes with it. The repository is seen as it stands, read-only.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.deploy.debian_root import can_be_made, debian_root
from tests.servers.process import ServerProcess, run, run_status

ROOT: Final = Path(__file__).parents[2]
CHECKOUT: Final = "/srv/faultwire"
SEEN: Final = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches its packages."""
PACKAGES: Final = ("systemd", "dbus", "sudo", "python3", "python3-venv", "ca-certificates", "procps")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def can_be_booted() -> bool:
    """Whether systemd-nspawn and mmdebstrap are here, and we are root."""
    return can_be_made() and shutil.which("systemd-nspawn") is not None


class BootedMachine:
    """Runs commands on a machine that has booted."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def command(self, *words: str) -> list[str]:
        """A command of root's in the checkout."""
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--root"]
        return ["nsenter", f"--target={self._leader}", *spaces, "env", f"--chdir={CHECKOUT}", *words]

    def run(self, *words: str, text: str | None = None) -> str:
        """Run it to its end, and return what it printed."""
        return run(self.command(*words), _environment(), text=text)

    def passes(self, *words: str) -> bool:
        """Whether it exits with 0."""
        return run_status(self.command(*words), _environment())

    def shell(self, line: str, *, text: str | None = None) -> None:
        """Run a line as root types it, for as long as it takes."""
        command = self.command("sh", "-ec", line)
        done = subprocess.run(
            command,
            env=_environment(),
            input=text or "",
            text=True,
            capture_output=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def write(self, path: str, text: str, *, mode: str = "0644", owner: str = "root") -> None:
        """Write a file, with the folders above it."""
        self.run("install", "-D", f"--mode={mode}", f"--owner={owner}", "/dev/stdin", path, text=text)

    def property_of(self, unit: str, name: str) -> str:
        """A property of a unit's, as systemd tells it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal_of(self, unit: str) -> str:
        """What a unit's processes said."""
        return self.run("journalctl", "--quiet", "--output=cat", f"--unit={unit}")


@contextmanager
def booted(
    home: Path, name: str = "booted", more: Sequence[str] = (), asleep: Sequence[str] = ()
) -> Iterator[BootedMachine]:
    """Boot a machine of this machine's own release.

    Args:
        home: takes the log of its boot.
        name: of its root; another one for other packages.
        more: Debian's packages, beside those that every machine has.
        asleep: units of theirs that are not to start by themselves.
    """
    release = run(["sh", "-c", '. /etc/os-release && echo "$VERSION_CODENAME"']).strip()
    root = debian_root(f"{name}-{release}", *PACKAGES, *more, release=release, asleep=asleep)
    seen = [f"--bind-ro={path}" for path in SEEN if Path(path).exists()]
    flags = ["--boot", "--register=no", "--keep-unit", "--volatile=overlay", "--resolv-conf=copy-host"]
    place = [f"--directory={root}", f"--machine=faultwire-{os.getpid()}", f"--bind-ro={ROOT}:{CHECKOUT}"]
    process = ServerProcess(
        ["systemd-nspawn", "--quiet", "--console=pipe", *flags, *place, *seen],
        _environment(),
        home / "boot.log",
    )
    try:
        process.wait_until(lambda: bool(_leaders(process.pid)), "systemd has begun")
        machine = BootedMachine(_leaders(process.pid)[0])
        running = partial(machine.passes, "systemctl", "is-system-running", "--wait")
        process.wait_until(running, "the machine has booted")
        yield machine
    finally:
        process.end()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return kept | {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root"}


def _leaders(pid: int) -> list[int]:
    """The machine's first process, as soon as it is systemd; the one before it only makes its namespaces."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if _name_of(child) == "systemd"]


def _name_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has just gone
        return ""
