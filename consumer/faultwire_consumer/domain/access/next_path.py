"""The place to go to after a sign-in: a path of this worker's and nothing else."""

import re
from typing import Final

HOME: Final = "/"
_CHARACTERS_MAX: Final = 2_000
# Browsers read a backslash as a slash and pass over tabs and line ends: all that is left is plain ASCII.
_PATH: Final = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")
_ENTRANCES: Final = ("/sign-in", "/sign-out", "/invitation")


def next_path(text: str | None) -> str:
    """Return the path, or the home page where the text may lead anywhere else or back to a sign-in."""
    if text is None or len(text) > _CHARACTERS_MAX or _PATH.fullmatch(text) is None:
        return HOME
    return HOME if text.startswith(_ENTRANCES) else text
