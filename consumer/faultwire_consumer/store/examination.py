"""The state of a database as far as a worker's start depends on it; nothing is changed, and no file made."""

import os
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, text

from faultwire_consumer.store.access.accounts import has_accounts
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.engine import open_to_read
from faultwire_consumer.store.migrations import schema_version
from faultwire_consumer.store.postgresql.rights import find_missing_rights
from faultwire_consumer.store.sqlite.file_lock import lock_file


class Examination(Struct, frozen=True, kw_only=True):
    """The findings at one database."""

    current: str | None = None
    """Its schema's version; None if it has none yet."""
    head: str = ""
    missing_rights: str = ""
    """The statements that give PostgreSQL's role what a worker needs; if it lacks that, no more is known."""
    schema_mend: str = ""
    """The message where the schema is not this release's."""
    read_only: str = ""
    """The reason why nothing can be written."""
    is_taken: bool = False
    """True if another process has the SQLite file."""
    server_time: datetime | None = None
    """PostgreSQL's clock, and this machine's at the same moment."""
    our_time: datetime | None = None
    has_account: bool | None = None
    """None where the schema is not this release's."""


def file_of(database_url: str) -> Path | None:
    """Return the file of a SQLite database; None for PostgreSQL."""
    url = parse_database_url(database_url)
    return sqlite_path(url) if url.drivername == "sqlite" else None


async def examine_database(database_url: str) -> Examination:
    """Look at a database; a worker may use it at the same time.

    Raises:
        DatabaseUrlError: the text names no database.
        StoreUnavailableError: it does not answer, or lets nobody in.
        MigrationError: it cannot hold every character.
    """
    path = file_of(database_url)
    head = schema_version.head()
    if path is not None and not path.exists():
        return Examination(head=head, read_only=_why_read_only(path))
    missing = await schema_version.on_connection(database_url, find_missing_rights) if path is None else ""
    if missing:
        return Examination(head=head, missing_rights=missing)
    found = await schema_version.standing(database_url)
    current = found.current
    mend = "" if found.fits else schema_version.mend_of(current, head)
    known = await _has_account(database_url) if found.fits else None
    if path is not None:
        return Examination(
            current=current,
            head=head,
            schema_mend=mend,
            read_only=_why_read_only(path),
            is_taken=_is_taken(path),
            has_account=known,
        )
    is_read_only, server_time = await schema_version.on_connection(database_url, _look_at_server)
    return Examination(
        current=current,
        head=head,
        schema_mend=mend,
        read_only="the server takes no changes: a standby, or default_transaction_read_only is on"
        if is_read_only
        else "",
        server_time=server_time,
        our_time=datetime.now(UTC),
        has_account=known,
    )


async def _has_account(database_url: str) -> bool:
    store = await open_to_read(database_url)
    try:
        return await has_accounts(store)
    finally:
        await store.close()


def _look_at_server(connection: Connection) -> tuple[bool, datetime]:
    is_read_only = connection.scalar(text("SHOW transaction_read_only")) == "on"
    server_time = connection.scalar(text("SELECT clock_timestamp()"))
    assert isinstance(server_time, datetime)  # noqa: S101 - the type of that function
    return is_read_only, server_time


def _why_read_only(path: Path) -> str:
    """Return the reason, also where the administrator asks, whom only the disk itself can refuse."""
    folder = path.resolve().parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    for place in (folder, path):
        if place.exists() and not os.access(place, os.W_OK):
            return f"{place} cannot be written by this user, or its disk is read-only"
    return ""


def _is_taken(path: Path) -> bool:
    if not Path(f"{path.resolve()}.lock").exists() or not os.access(path.resolve().parent, os.W_OK):
        return False
    descriptor = lock_file(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
