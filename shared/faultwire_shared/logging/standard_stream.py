"""Standard streams that whoever started the process had closed, as ``2>&-`` does."""

import os
import sys
from pathlib import Path


def open_standard_streams() -> None:
    """Open what is closed of the three on nothing: the next file or socket would take its place."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the life of the process
