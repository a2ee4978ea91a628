"""The lock beside a SQLite file that says whose it is: one process writes, or copies, at a time."""

import fcntl
import os
from pathlib import Path


def take_file(path: Path) -> int | None:
    """Take a database's file for this process; None where another one has it.

    Returns:
        A descriptor: the file is free again once it is closed, or its process is gone.

    Raises:
        OSError: the lock's file cannot be made.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
