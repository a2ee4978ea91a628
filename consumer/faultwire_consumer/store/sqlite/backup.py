"""A whole copy of a SQLite file, also while its worker runs.

What lies in the write-ahead log is not in the file, so that a mere copy of it looks whole and lacks the
newest events.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.sqlite.file_lock import uri_of


class BackupRefusedError(Exception):
    """There is nothing to back up, or something stands where the backup is to go."""


class BackedUp(Struct, frozen=True):
    """The contents of a backup."""

    events: int
    bytes: int


def back_up(source: Path, target: Path) -> BackedUp:
    """Write all that a database holds at one moment into a new file, which has its name once it is whole.

    Raises:
        BackupRefusedError: there is no such database, or the target is there already.
        StoreUnavailableError: a file cannot be read or written, or the copy is not sound.
    """
    if not source.is_file():
        raise BackupRefusedError(f"there is no database {source}")
    if target.exists():
        raise BackupRefusedError(f"{target} is there already; name another file")
    part = target.with_name(f"{target.name}.part")
    try:
        return _write(source, part, target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreUnavailableError(f"the backup of {source} into {target} failed: {error}") from None


def _write(source: Path, part: Path, target: Path) -> BackedUp:
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    with (
        closing(sqlite3.connect(uri_of(str(source), mode="ro"), uri=True)) as reading,
        closing(sqlite3.connect(part)) as writing,
    ):
        reading.backup(writing)  # in one step: nobody's write makes it begin anew
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it
        (said,) = writing.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said)
        (events,) = writing.execute("SELECT count(*) FROM events").fetchone()
    _sync(part)
    part.rename(target)
    _sync(target.parent)
    return BackedUp(events, target.stat().st_size)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
