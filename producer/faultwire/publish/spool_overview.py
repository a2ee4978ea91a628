"""The spools of this machine, as its operator sees them: where they lie, and what is in them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from faultwire.queue.directory import SpoolDirectory, SpoolEntry, state_path
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failure import UnavailableError


class SpoolUnreadableError(UnavailableError):
    """A spool cannot be looked into by this user, or is not there; the text says who could."""


class SpoolSummary(Struct, frozen=True, kw_only=True):
    """One service's spool in one directory."""

    service: str
    files: int
    owned: int
    """Files whose process lives."""
    events: Mapping[ErrorSeverity, int]
    bytes: int
    quarantined: int
    """Damaged files that are kept."""
    path: str


def find_spools(path: Path | None, environ: Mapping[str, str]) -> Sequence[SpoolDirectory]:
    """The directory itself, and those in it: a directory for each service is the default.

    Args:
        path: where to look; None for ``FAULTWIRE_SPOOL_PATH``, else the user's own; these may be missing.
        environ: names these.

    Raises:
        SpoolUnreadableError: the path is not a directory, or a spool is another user's.
    """
    root = path or Path(environ.get("FAULTWIRE_SPOOL_PATH") or state_path(environ))
    if not root.is_dir():
        if path is not None:
            raise SpoolUnreadableError(f"{root} is not a directory")
        return []
    try:
        places = [root, *sorted(one for one in root.iterdir() if one.is_dir() and not one.is_symlink())]
        foreign = next((one for one in places if one.stat().st_uid != os.geteuid() and _has_spool(one)), None)
    except PermissionError as error:
        raise SpoolUnreadableError(
            f"{error.filename} cannot be read: run this as the service's user"
        ) from None
    if foreign is not None:
        raise SpoolUnreadableError(
            f"{foreign} belongs to user {foreign.stat().st_uid}: run this as that user"
        )
    return [SpoolDirectory(str(place)) for place in places]


def _has_spool(place: Path) -> bool:
    return any(place.glob("*.db"))


def services_in(directory: SpoolDirectory) -> Sequence[str]:
    """The services that have files there, or had damaged ones."""
    return sorted({entry.service for entry in directory.entries()} | set(directory.quarantined()))


def orphans_of(directory: SpoolDirectory, service: str) -> Sequence[SpoolEntry]:
    """The service's files whose process is dead."""
    return [entry for entry in directory.entries() if entry.service == service and not entry.is_owned]


def summarize(directory: SpoolDirectory, service: str) -> SpoolSummary:
    """Sum up a service's files, as far as their owners have noted what is in them."""
    entries = [entry for entry in directory.entries() if entry.service == service]
    return SpoolSummary(
        service=service,
        files=len(entries),
        owned=sum(entry.is_owned for entry in entries),
        events={
            severity: sum(entry.by_rank.get(severity.rank, 0) for entry in entries)
            for severity in ErrorSeverity
        },
        bytes=sum(entry.bytes for entry in entries),
        quarantined=directory.quarantined()[service],
        path=directory.path,
    )
