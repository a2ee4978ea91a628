"""A suggestion for a name that is not known, for every error that names one."""

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Name the known word that was probably meant, else list the known ones.

    Args:
        name: the word as it was written.
        known: the words that would have been right.
        prefix: put before the word that is suggested.
    """
    words = sorted(known)
    near = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(words)}"
