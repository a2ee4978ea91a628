"""A SQLite file, and the lock next to it, by which one process at a time writes it or copies it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

_OWNER_ALONE: Final = 0o600
_HANDLE: Final[int] = getattr(os, "O_PATH", 0)


class SeveralNamesError(OSError):
    """The file has several names (hard links): a process that knows another one would not see the lock."""


def lock_file(path: Path) -> int | None:
    """Lock a database's file for this process; return None if another process has it.

    The lock lies beside the file itself, wherever the links that lead to it lie.

    Returns:
        A descriptor: the file is unlocked once this is closed, or the process has ended.

    Raises:
        SeveralNamesError: by another name of the file the lock would be another one.
        OSError: the lock's file cannot be created.
    """
    real = path.resolve()
    if real.exists() and real.stat().st_nlink > 1:
        raise SeveralNamesError(
            f"{path} has {real.stat().st_nlink} names (hard links), by which two workers would destroy it: "
            "remove the others, or make them copies"
        )
    descriptor = os.open(f"{real}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ALONE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def make_private_file(path: Path) -> None:
    """Create a file that only its owner reads, unless there is one; SQLite's others beside it get its mode.

    Raises:
        OSError: it cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ALONE))


class OpenFile:
    """A file as it was opened: told from one that was put in its place, where the system can hold it.

    The descriptor is only a handle (``O_PATH``, on Linux): closing any other one of the file would give up
    SQLite's locks on it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = os.open(path, _HANDLE | os.O_CLOEXEC) if _HANDLE else None

    def is_there(self) -> bool:
        """Return False if its name leads to nothing, or to another file."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        return self._held is None or os.path.samestat(os.fstat(self._held), found)

    def close(self) -> None:
        """Let go of it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def uri_of(path: str, *, mode: str) -> str:
    """Return a file's URI for SQLite, in which ``#``, ``?`` and ``%`` stand for themselves."""
    return f"file:{quote(path)}?mode={mode}"
