"""Roots of Debian, made once by mmdebstrap and kept: a machine, an image's base, a tool of another release.

They lie beside those of ``tests/servers/another-debian``.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOTS: Final = Path(os.environ.get("ROOTS", "/var/tmp/faultwire-roots"))  # noqa: S108 - as another-debian's
MAKING_SECONDS: Final = 900.0
_LISTS: Final = 'Acquire::Check-Valid-Until "false"'
"""An archive's snapshot, which a mirror may be, is past its date and no less signed."""


def can_be_made() -> bool:
    """Whether this is root on a Debian with mmdebstrap."""
    return os.geteuid() == 0 and shutil.which("mmdebstrap") is not None


def debian_root(
    name: str, *packages: str, release: str, variant: str = "minbase", asleep: Sequence[str] = ()
) -> Path:
    """Return a root with these packages, made at the first call on this machine.

    Args:
        name: of its folder; another one for other packages.
        packages: Debian's.
        release: its codename.
        variant: mmdebstrap's.
        asleep: units that a package would have started at each boot.
    """
    place = ROOTS / name
    ROOTS.mkdir(parents=True, exist_ok=True)
    with (ROOTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _make(place, packages, release, variant, asleep)
    return place


def _make(place: Path, packages: Sequence[str], release: str, variant: str, asleep: Sequence[str]) -> None:
    half = place.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", f"--variant={variant}", f"--aptopt={_LISTS}"]
    if asleep:
        command += [f'--customize-hook=chroot "$1" systemctl disable {" ".join(asleep)}']
    command += [f"--include={','.join(packages)}", release, str(half)]
    subprocess.run(command, check=True, timeout=MAKING_SECONDS)
    half.rename(place)
