"""Builds the documentation's site."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

SETTINGS: Final = Path(__file__).parents[2] / "deploy/docs/mkdocs.yml"


def build_site(target: Path) -> None:
    """Build it as `make docs` does, but there.

    Raises:
        CalledProcessError: mkdocs warned of something; its words are the error's.
    """
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    subprocess.run(
        [*build, "-f", str(SETTINGS), "-d", str(target)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
