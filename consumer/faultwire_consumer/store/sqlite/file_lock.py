"""The lock next to a SQLite file: one process at a time writes it, or copies it."""

import fcntl
import os
from pathlib import Path


def lock_file(path: Path) -> int | None:
    """Lock a database's file for this process; return None if another process has it.

    Returns:
        A descriptor: the file is unlocked once this is closed, or the process has ended.

    Raises:
        OSError: the lock's file cannot be created.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
