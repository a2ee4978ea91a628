"""Notes that files changed, by looking: files that are replaced too, and links that lead elsewhere."""

import os
from collections.abc import Iterable
from pathlib import Path

Signature = tuple[str, int, int, int, int] | str
"""What differs once a file is another one; its error where it cannot be looked at."""


class FileWatch:
    """Some files, as they were when they were read.

    A change is told once it has stood still from one look to the next, so that a file that is being written
    is not read half-way. Looks and readings are file access: call each in a thread.
    """

    def __init__(self) -> None:
        self._read: dict[Path, Signature] = {}
        self._seen: dict[Path, Signature] = {}

    @property
    def files(self) -> frozenset[Path]:
        """Return the files that are watched."""
        return frozenset(self._read)

    def settle(self, files: Iterable[Path]) -> None:
        """Take these files as they are for read; call it before the reading, which a change may overtake."""
        self._read = self._seen = _sign(files)

    def keep(self, files: Iterable[Path]) -> None:
        """Watch these alone of the files that were settled."""
        wanted = frozenset(files)
        self._read = self._seen = {path: one for path, one in self._read.items() if path in wanted}

    def look(self) -> bool:
        """Return whether the files differ from what was read, and no longer change."""
        before, self._seen = self._seen, _sign(self._read)
        return self._seen != self._read and self._seen == before


def _sign(files: Iterable[Path]) -> dict[Path, Signature]:
    return {path: _signature_of(path) for path in files}


def _signature_of(path: Path) -> Signature:
    try:
        found = path.stat()
        return os.path.realpath(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    except OSError as error:
        return error.strerror or type(error).__name__
