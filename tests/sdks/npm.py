"""The SDKs of npm, as ``package-lock.json`` pins them, in a cache outside of the repository."""

import fcntl
import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.servers.process import run

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "javascript"
NODE: Final = Path(sys.executable).with_name("node")
_NPM: Final = Path(sys.executable).with_name("npm")
_MANIFESTS: Final = ("package.json", "package-lock.json")


def install() -> Path:
    """Install what is pinned, once for each lock file, and no script of a package's; where its modules lie.

    Raises:
        ServerError: npm cannot, as without a network; the text holds what it said.
    """
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _MANIFESTS)).hexdigest()[:16]
    home = _cache() / f"sdks-{digest}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the session's other processes want the same
        if not (home / "installed").exists():
            for name in _MANIFESTS:
                shutil.copy(HERE / name, home)
            quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            run([str(_NPM), "ci", "--ignore-scripts", *quiet, f"--prefix={home}"], _with_node())
            (home / "installed").touch()
    return home / "node_modules"


def place_program(name: str, modules: Path, directory: Path) -> Path:
    """Put a program of this folder where it finds the modules."""
    (directory / "node_modules").symlink_to(modules)
    return Path(shutil.copy(PROGRAMS / name, directory))


def bundle(source: Path, modules: Path, *, minify: bool) -> Path:
    """Make what a page loads of a program that stands beside its modules."""
    built = source.with_name(f"{source.stem}.bundle.js")
    options = ["--bundle", "--format=iife", f"--outfile={built}", "--log-level=error"]
    command = [str(NODE), str(modules / "esbuild" / "bin" / "esbuild"), str(source), *options]
    run([*command, "--minify"] if minify else command, _with_node())
    return built


def _with_node() -> dict[str, str]:
    return dict(os.environ) | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultwire-tests"
