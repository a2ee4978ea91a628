"""The spool's directory: who owns which file, what nobody owns any more, and what must not be touched."""

# ruff: noqa: PTH104, PTH108, PTH111, PTH118, PTH208
# Descriptors and flags are what this module is about, and pathlib is slow to import.

import contextlib
import fcntl
import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from faultwire.process.private_directory import open_own, slug_of

_NAME: Final = re.compile(r"^(?P<service>.+)-(?P<pid>\d+)-(?P<token>[0-9a-f]{8})\.db$")
_CLAIMS: Final = 3
_QUARANTINE: Final = ".corrupt-"
QUARANTINED: Final = 3
"""Damaged files that are kept for somebody to look at."""
TORN: Final = "-torn"
"""Behind the name of a copy of a WAL, while its file is being adopted."""
_PART: Final = ".part"
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal", TORN, TORN + _PART)


def state_path(environ: Mapping[str, str]) -> str:
    """The path of the user's spools, a directory for each service."""
    state = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "faultwire", "spool")


def default_spool_path(environ: Mapping[str, str], service: str) -> str:
    """A service's own directory among them."""
    return os.path.join(state_path(environ), slug_of(service))


class Lock:
    """An flock next to a spool's file: the process that holds it owns the file, and its death lets go."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @property
    def database(self) -> str:
        """The file that it stands for."""
        return self.path.removesuffix(".lock") + ".db"

    def note(self, by_rank: Mapping[int, int]) -> None:
        """Write down how many events the file holds, for those who cannot open it."""
        text = json.dumps({str(rank): count for rank, count in sorted(by_rank.items()) if count})
        with contextlib.suppress(OSError):  # on a full disk the note stays old
            os.pwrite(self.descriptor, text.encode().ljust(120), 0)

    def noted(self) -> dict[int, int]:
        """The note that was written last."""
        return _parse(os.pread(self.descriptor, 200, 0))

    def release(self, *, remove: bool) -> None:
        """Let go; ``remove`` when the file is gone too."""
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


class SpoolEntry(Struct, frozen=True, kw_only=True):
    """One file of a directory, seen from outside."""

    path: str
    service: str
    pid: int
    bytes: int
    is_owned: bool
    by_rank: Mapping[int, int]


class SpoolDirectory:
    """One directory of spools."""

    def __init__(self, path: str) -> None:
        # With a slash at its end the system would follow a link.
        self.path: str = path.rstrip("/") or "/"

    def claim_new(self, service: str) -> Lock:
        """A file's name that nobody had before, with its lock; the file is there, empty."""
        for _ in range(_CLAIMS - 1):
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                return self._claim(service)
        return self._claim(service)

    def _claim(self, service: str) -> Lock:
        stem = os.path.join(self.path, f"{service}-{os.getpid()}-{os.urandom(4).hex()}")
        lock = Lock(f"{stem}.lock", open_own(f"{stem}.lock", os.O_CREAT | os.O_EXCL))
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An heir that looks for locks without a file may have removed it between the two steps.
            os.stat(lock.path)  # noqa: PTH116 - as above
            os.close(open_own(lock.database, os.O_CREAT | os.O_EXCL))
        except OSError:
            lock.release(remove=True)
            raise
        self._sync()
        return lock

    def orphans(self, service: str | None = None) -> Iterator[Lock]:
        """Files whose owner is gone, each with its lock taken; of one service, or of all."""
        # A kill between two steps leaves a lock without its file; trying it removes it.
        databases = {f"{name.removesuffix('.lock')}.db" for name in self._names() if name.endswith(".lock")}
        for name in sorted(databases.union(self._names())):
            matched = _NAME.match(name)
            if matched is None or service not in (None, matched["service"]):
                continue
            with contextlib.suppress(OSError):
                lock = self._try_lock(os.path.join(self.path, name))
                if lock is not None:
                    yield lock

    def entries(self) -> list[SpoolEntry]:
        """Every file, with what its owner has noted."""
        found = []
        for name in self._names():
            matched = _NAME.match(name)
            if matched is None:
                continue
            path = os.path.join(self.path, name)
            is_owned, noted = _look_at(path.removesuffix(".db") + ".lock")
            entry = SpoolEntry(
                path=path,
                service=matched["service"],
                pid=int(matched["pid"]),
                bytes=sum(size_of(path + suffix) for suffix in _SUFFIXES),
                is_owned=is_owned,
                by_rank=noted,
            )
            found.append(entry)
        return found

    def quarantined(self) -> Counter[str]:
        """The number of damaged files that are kept, by service."""
        names = (name.partition(_QUARANTINE) for name in self._names() if not name.endswith(_SUFFIXES[1:]))
        matches = (_NAME.match(name) for name, marked, _ in names if marked)
        return Counter(matched["service"] for matched in matches if matched)

    def remove(self, lock: Lock) -> None:
        """Delete a file that holds nothing any more, and its lock last."""
        for suffix in _SUFFIXES:
            with contextlib.suppress(OSError):
                os.unlink(lock.database + suffix)
        lock.release(remove=True)

    def quarantine(self, lock: Lock) -> str:
        """Move a damaged file out of the way, together with its WAL; its new name."""
        place = lock.database + f"{_QUARANTINE}{time.time_ns()}"
        for suffix in _SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                os.rename(lock.database + suffix, place + suffix)
        self._forget_old_quarantine()
        return place

    def _forget_old_quarantine(self) -> None:
        places = sorted(
            (name for name in self._names() if _QUARANTINE in name and not name.endswith(_SUFFIXES[1:])),
            key=lambda name: name.rpartition("-")[2],
        )
        for name in places[:-QUARANTINED]:
            for suffix in _SUFFIXES:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self.path, name + suffix))

    def _try_lock(self, database: str) -> Lock | None:
        if os.path.lexists(database) and not stat.S_ISREG(os.lstat(database).st_mode):
            return None
        path = database.removesuffix(".db") + ".lock"
        descriptor = open_own(path, os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another adopter may have finished, and removed both, between our two steps.
            if os.path.samestat(os.fstat(descriptor), os.lstat(path)) and os.path.lexists(database):
                return Lock(path, descriptor)
        except OSError:
            os.close(descriptor)
            return None
        if not os.path.lexists(database):
            os.unlink(path)
        os.close(descriptor)
        return None

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.path))
        except FileNotFoundError:
            return []

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _look_at(path: str) -> tuple[bool, dict[int, int]]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False, {}
    try:
        noted = _parse(os.pread(descriptor, 200, 0))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True, noted
        return False, noted
    finally:
        os.close(descriptor)


def _parse(note: bytes) -> dict[int, int]:
    try:
        return {int(rank): int(count) for rank, count in json.loads(note or b"{}").items()}
    except (ValueError, AttributeError):
        return {}


def copy_own(path: str, place: str) -> None:
    """Copy a file for this user alone; it is there whole, or not at all."""
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read()
    part = f"{place}{_PART}"
    with open(open_own(part, os.O_CREAT | os.O_TRUNC), "wb") as copy:  # noqa: PTH123
        copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
    os.rename(part, place)


def size_of(path: str) -> int:
    """The file's bytes; 0 where there is none."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
