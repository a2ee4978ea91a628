"""What is released: from the folder that FAULTWIRE_DIST names, as `make release` does, or built here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.servers.process import temporary_home

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def released() -> Iterator[Path]:
    """The folder with wheel, sdist and what stands beside them, of the files as they stand here now."""
    named = os.environ.get("FAULTWIRE_DIST")
    if named:
        yield Path(named)
        return
    with temporary_home("release") as home:
        # A commit, of no branch, of what git knows as it stands here; nothing where nothing is changed.
        stash = subprocess.run(
            ["git", "stash", "create"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        variables = {"REVISION": stash.stdout.strip() or "HEAD", "BIN": str(Path(sys.executable).parent)}
        subprocess.run([ROOT / "deploy/release", home], env=os.environ | variables, check=True, timeout=600)
        yield home


@pytest.fixture(scope="session")
def wheel(released: Path) -> Path:
    (wheel,) = released.glob("*.whl")
    return wheel
