"""The last number that a producer has given, kept in a file's page cache: SIGKILL cannot take it back.

One small file for each process in the spool's directory, mapped into memory. A number is written there when
it is given, by one store of eight bytes: no system call, no disk. The kernel keeps the page when the process
is killed, and the next process of the service reads it. A power cut may take it.
"""

# ruff: noqa: PTH108, PTH118, PTH208
# Descriptors are what this module is about, and pathlib is slow to import.

import contextlib
import fcntl
import mmap
import os
import re
import stat
import zlib
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from faultwire_shared.codec import Undecodable, decode_report, encode_report
from faultwire_shared.producer_report import ProducerReport

LEDGER_BYTES: Final = 32 * 1024
_MAGIC: Final = b"\xf5fwnum\x01\n"
_NUMBER: Final = slice(8, 16)
_HEAD: Final = slice(16, 24)  # the report's length and CRC
_REPORT: Final = 24
_NAME: Final = re.compile(r"^(?P<service>.+)-\d+-[0-9a-f]{8}\.ledger$")
_MAPPABLE: Final = ("ext2", "ext3", "ext4", "xfs", "tmpfs", "overlay")
"""File systems that keep reserved space: a store into a file without space would end the process (SIGBUS)."""
_MOUNTS: Final = "/proc/self/mountinfo"


class Ledger:
    """One file, ours by its flock or inherited from a process that died."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, LEDGER_BYTES)
        self._view = memoryview(self._map)
        self.cell: memoryview[int] = self._view[_NUMBER].cast("Q")
        """Its one element is the last number that was given."""

    def write(self, report: ProducerReport) -> None:
        """Put the report next to the number; one that does not fit goes without its losses."""
        body = encode_report(report)
        if len(body) > LEDGER_BYTES - _REPORT:
            body = encode_report(replace(report, lost=[]))
        self._view[_REPORT : _REPORT + len(body)] = body
        self._view[_HEAD] = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")

    def read(self) -> ProducerReport | None:
        """The report with the last number; None where a byte is not as it was written."""
        if self._map[: len(_MAGIC)] != _MAGIC:
            return None
        head = bytes(self._view[_HEAD])
        length, crc = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        body = bytes(self._view[_REPORT : _REPORT + min(length, LEDGER_BYTES)])
        if zlib.crc32(body) != crc:
            return None
        try:
            report = decode_report(body)
        except Undecodable:
            return None
        return replace(report, last_sequence=max(report.last_sequence, self.cell[0]))

    def close(self, *, remove: bool) -> None:
        """Let go of the file; in a forked child the parent's hold on it stays."""
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.cell.release()
        self._view.release()
        self._map.close()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def create(directory: str, service: str, report: ProducerReport) -> Ledger | None:
    """A ledger of this process's own; None where the directory's file system is none to map from.

    Raises:
        OSError: the directory is not there, or has no room.
    """
    if not _is_mappable(directory):
        return None
    path = os.path.join(directory, f"{service}-{os.getpid()}-{os.urandom(4).hex()}.ledger")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(descriptor, 0, LEDGER_BYTES)
        ledger = Ledger(path, descriptor)
    except BaseException:
        os.unlink(path)
        os.close(descriptor)
        raise
    ledger.write(report)
    ledger._view[: len(_MAGIC)] = _MAGIC  # noqa: SLF001 - last, so that a half-made one is none
    return ledger


def inherit(directory: str, service: str) -> Iterator[Ledger]:
    """The ledgers of the service whose processes are dead; each is ours then."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        matched = _NAME.match(name)
        if matched is not None and matched["service"] == service:
            with contextlib.suppress(OSError):
                ledger = _take(os.path.join(directory, name))
                if ledger is not None:
                    yield ledger


def _take(path: str) -> Ledger | None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(descriptor)
        # Another heir may have finished, and removed it, between our two steps.
        is_whole = stat.S_ISREG(found.st_mode) and found.st_size == LEDGER_BYTES
        if is_whole and found.st_uid == os.geteuid() and os.path.samestat(found, os.lstat(path)):
            return Ledger(path, descriptor)
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_mappable(directory: str) -> bool:
    device = os.stat(directory).st_dev  # noqa: PTH116 - as above
    number = f"{os.major(device)}:{os.minor(device)}"
    with open(_MOUNTS, encoding="utf-8", errors="replace") as mounts:  # noqa: PTH123 - as above
        for line in mounts:
            fields = line.split()
            if fields[2] == number:
                return fields[fields.index("-") + 1] in _MAPPABLE
    return False
