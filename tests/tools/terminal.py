"""A command on a real terminal of a given width: what a person at it reads."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata
from typing import Final

from msgspec import Struct

STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")


class Screen(Struct, frozen=True):
    """What a command wrote on a terminal, with its styles, and its exit code."""

    raw: str
    exit_code: int

    @property
    def lines(self) -> list[str]:
        """The lines without their styles."""
        return STYLE.sub("", self.raw).replace("\r\n", "\n").splitlines()


def run_on_terminal(*arguments: str, columns: int, **variables: str) -> Screen:
    """Run ``faultwire`` with stdout and stderr on a terminal."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "faultwire_consumer.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
        env=environment | {"TERM": "xterm-256color"} | variables,
    )
    os.close(its)
    written = bytearray()
    try:
        while chunk := _read(ours):
            written += chunk
    finally:
        os.close(ours)
    return Screen(written.decode(), process.wait(60))


def columns_of(line: str) -> int:
    """Cells that a line takes at most: by Unicode's own table, not by the library that laid it out."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    marks = sum(unicodedata.combining(character) > 0 for character in line)
    return len(line) + wide - marks


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 65_536)
    except OSError:  # the other end is closed
        return b""
