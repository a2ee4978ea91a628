"""A directory that the client keeps files in: of this user alone, where nobody else reads or swaps them."""

# ruff: noqa: PTH103
# Descriptors and flags are what this module is about, and pathlib is slow to import.

import os
import re
import stat
import zlib


class UnsafeDirectoryError(OSError):
    """The directory is a link, somebody else's, or open to others."""


def prepare_directory(path: str) -> None:
    """Make the directory, for this user alone.

    Raises:
        OSError: it cannot be made or written, is a link, somebody else's, or open to others.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        owner = os.fstat(descriptor)
        if owner.st_uid != os.geteuid():
            raise UnsafeDirectoryError(f"{path} belongs to user {owner.st_uid}")
        if owner.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            # Somebody may rely on its mode, as everybody does on /tmp's: it is not ours to narrow.
            mode = f"{stat.S_IMODE(owner.st_mode):04o}"
            raise UnsafeDirectoryError(
                f"{path} is open to others ({mode}); name a directory in it, which is then made"
            )
        if not os.access(path, os.W_OK | os.X_OK):
            raise UnsafeDirectoryError(f"{path} is not writable")
    finally:
        os.close(descriptor)


def open_own(path: str, flags: int) -> int:
    """Open a file for this user alone, with a descriptor that no child inherits by `exec`.

    Raises:
        UnsafeDirectoryError: somebody else put it there.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise UnsafeDirectoryError(f"{path} is somebody else's")
    return descriptor


def slug_of(service: str) -> str:
    """The service's name as a file's: where letters had to go, a checksum tells two names apart."""
    slug = re.sub(r"[^A-Za-z0-9_.-]", "_", service)[:60].lstrip(".-") or "service"
    return slug if slug == service else f"{slug}-{zlib.crc32(service.encode(errors='replace')):08x}"
