"""buildah and podman with a storage of a test's own: an image is built from a base that we make, and run.

The base stands in for Docker's `python`, which no registry of packages has: Debian's Python in its places.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.deploy.debian_root import can_be_made, debian_root
from tests.servers.process import run

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = "3.11"
BASE: Final = f"docker.io/library/python:{PYTHON}-slim-bookworm"
BUILD_SECONDS: Final = 900.0
SEEN: Final = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches its packages."""

_WITHOUT_HYBRID: Final = (
    'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; exec "$@"'
)
"""crun takes either version of cgroups, and not both at once: where both stand, it sees the first alone."""


def can_be_run() -> bool:
    """Whether this is root with buildah, podman and mmdebstrap."""
    return can_be_made() and all(shutil.which(name) for name in ("buildah", "podman"))


class Engine:
    """Builds images and runs containers."""

    def __init__(self, home: Path) -> None:
        self._storage = [f"--root={home}/storage", f"--runroot={home}/run"]

    def buildah(self, *words: str) -> str:
        """Run a command of buildah's; what it printed."""
        command = ["buildah", *self._storage, *words]
        done = subprocess.run(
            command,
            text=True,
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{' '.join(words)[:200]}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def podman(self, *words: str) -> str:
        """Run a command of podman's; what it printed."""
        return run([*self._podman(), *words], dict(os.environ)).strip()

    def passes(self, *words: str) -> bool:
        """Whether a command of podman's exits with 0."""
        quiet = subprocess.DEVNULL
        return (
            subprocess.run([*self._podman(), *words], stdout=quiet, stderr=quiet, check=False).returncode == 0
        )

    def inspect(self, name: str) -> dict[str, Any]:
        """What podman knows of a container or an image."""
        (found,) = json.loads(self.podman("inspect", name))
        return dict(found)

    def _podman(self) -> list[str]:
        alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _WITHOUT_HYBRID, "podman"]
        return [*alone, "podman", *self._storage, "--cgroup-manager=cgroupfs", "--events-backend=file"]


@contextmanager
def engine(home: Path) -> Iterator[Engine]:
    """An engine with the base in its storage, and nothing of it left afterwards."""
    made = Engine(home)
    try:
        _make_base(made)
        yield made
    finally:
        made.podman("rm", "--all", "--force", "--time=0")
        made.podman("rmi", "--all", "--force")


def _make_base(made: Engine) -> None:
    root = debian_root(
        "image-base-bookworm", "python3", "python3-venv", "python3-pip", "ca-certificates", release="bookworm"
    )
    container = made.buildah("from", "scratch")
    made.buildah("copy", "--quiet", container, str(root), "/")
    made.buildah(
        "run", "--isolation=chroot", container, "ln", "-s", "/usr/bin/python3", "/usr/local/bin/python"
    )
    made.buildah("commit", "--quiet", "--rm", "--format=docker", container, BASE)


def build(made: Engine, tag: str, **arguments: str) -> None:
    """Build deploy/Dockerfile as the guide says."""
    seen = [f"--volume={path}:{path}:ro" for path in SEEN if Path(path).exists()]
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    ignored = f"--ignorefile={ROOT}/deploy/Dockerfile.dockerignore"
    file = f"--file={ROOT}/deploy/Dockerfile"
    flags = ["--pull-never", "--format=docker", "--isolation=chroot", "--network=host"]
    made.buildah("bud", *flags, *seen, *given, ignored, file, f"--tag={tag}", str(ROOT))
