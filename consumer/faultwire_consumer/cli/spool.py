"""``faultwire spool``: status, drain. The disk of this machine, and no worker is asked."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App
from msgspec.structs import asdict

from faultwire_consumer.cli.address import publish_url
from faultwire_consumer.cli.failure import CONFIGURATION, FAILED, CommandError
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import print_list, say
from faultwire_consumer.cli.progress import progress_bars
from faultwire_shared.event import ErrorSeverity

if TYPE_CHECKING:
    from rich.progress import Progress

    from faultwire.publish.drain import Drain
    from faultwire.queue.directory import SpoolDirectory, SpoolEntry

app = App(
    name="spool", help="See what services keep on this machine's disk, and publish what dead ones left."
)

_MOST_SEVERE_FIRST = tuple(reversed(ErrorSeverity))
_RESULT = ("published", "refused", "lost", "files")
_COLUMNS = ("service", "files", "owned", *_MOST_SEVERE_FIRST, "bytes", "quarantined", "path")


@app.command
def status(*, path: Path | None = None, output: Output = OUTPUT) -> None:
    """Show each service's files, how many have a living owner, and the events in them by severity.

    Args:
        path: A spool's directory, or one that holds several; else FAULTWIRE_SPOOL_PATH, else the user's own.
    """
    spools = [_row(place, service) for place in _directories(path) for service in _services(place)]
    print_list({"spools": spools}, "spools", _COLUMNS, output)


@app.command
def drain(
    *,
    service: str | None = None,
    path: Path | None = None,
    broker_url: str | None = None,
    output: Output = OUTPUT,
) -> int:
    """Publish what processes that are dead left on disk; those that live publish their own.

    May be interrupted and run again. Exit code 1 where something stays that the other side refused.

    Args:
        service: Of this service alone.
        path: A spool's directory, or one that holds several; else FAULTWIRE_SPOOL_PATH, else the user's own.
        broker_url: Where to; else FAULTWIRE_BROKER_URL, else the worker at FAULTWIRE_URL.
    """
    from faultwire.options import scheme_of  # noqa: PLC0415 - as everywhere here, for quick help
    from faultwire.process.private_directory import slug_of  # noqa: PLC0415

    url = publish_url(broker_url)
    try:
        scheme_of(url)
    except ValueError as error:
        raise CommandError(str(error), CONFIGURATION) from None
    wanted = None if service is None else slug_of(service)
    orphans = [
        (place, name)
        for place in _directories(path)
        for name in _services(place)
        if wanted in (None, name) and any(not entry.is_owned for entry in _entries(place, name))
    ]
    results = _drain_all(orphans, url, output)
    _print_drained(results, output)
    return FAILED if any(result.refused for result in results.values()) else 0


def _drain_all(
    orphans: "Sequence[tuple[SpoolDirectory, str]]", url: str, output: Output
) -> "dict[str, Drain]":
    import asyncio  # noqa: PLC0415
    import sqlite3  # noqa: PLC0415

    from faultwire.publish.drain import Drain  # noqa: PLC0415
    from faultwire.publish.transport import Busy, TransportDown  # noqa: PLC0415

    results: dict[str, Drain] = {}

    async def run() -> None:
        with progress_bars(output) as progress:
            for place, service in orphans:
                result = results.setdefault(service, Drain())
                await _drain_one(place, service, url, result, progress)

    try:
        asyncio.run(run())
    except (TransportDown, Busy, OSError, sqlite3.Error) as error:
        published = sum(result.published for result in results.values())
        raise CommandError(f"{error}; published {published}, the rest stays on disk") from None
    return results


async def _drain_one(
    place: "SpoolDirectory", service: str, url: str, result: "Drain", progress: "Progress"
) -> None:
    from faultwire.assembly import transport_for  # noqa: PLC0415
    from faultwire.publish.drain import drain as drain_service  # noqa: PLC0415

    make = transport_for(url, service)
    if make is None:
        return
    entries = [entry for entry in _entries(place, service) if not entry.is_owned]
    total = result.published + sum(sum(entry.by_rank.values()) for entry in entries)
    task = progress.add_task(service, total=total, completed=result.published)
    transport = make()
    await transport.open()
    try:
        await drain_service(
            place,
            service,
            transport,
            result=result,
            tell=lambda: progress.update(task, completed=result.published),
        )
    finally:
        await transport.aclose()


def _print_drained(results: "Mapping[str, Drain]", output: Output) -> None:
    rows = [{"service": service} | asdict(result) for service, result in results.items()]
    if not rows and not output.quiet:
        say("no dead process left anything")
    if rows or output.json:
        print_list({"drained": rows}, "drained", ("service", *_RESULT), output)


def _directories(path: Path | None) -> "list[SpoolDirectory]":
    """The directory itself, and those in it: a directory for each service is the default."""
    from faultwire.queue.directory import SpoolDirectory, state_path  # noqa: PLC0415

    root = path or Path(os.environ.get("FAULTWIRE_SPOOL_PATH") or state_path(os.environ))
    if not root.is_dir():
        if path is not None:
            raise CommandError(f"{root} is no directory")
        return []
    try:
        places = [root, *sorted(one for one in root.iterdir() if one.is_dir() and not one.is_symlink())]
        foreign = next((one for one in places if one.stat().st_uid != os.geteuid() and _has_spool(one)), None)
    except PermissionError as error:
        raise CommandError(f"{error.filename} cannot be read: run this as the service's user") from None
    if foreign is not None:
        raise CommandError(f"{foreign} belongs to user {foreign.stat().st_uid}: run this as that user")
    return [SpoolDirectory(str(place)) for place in places]


def _has_spool(place: Path) -> bool:
    return any(place.glob("*.db"))


def _services(place: "SpoolDirectory") -> list[str]:
    return sorted({entry.service for entry in place.entries()} | set(place.quarantined()))


def _entries(place: "SpoolDirectory", service: str) -> "list[SpoolEntry]":
    return [entry for entry in place.entries() if entry.service == service]


def _row(place: "SpoolDirectory", service: str) -> dict[str, Any]:
    entries = _entries(place, service)
    counts = {
        severity.value: sum(entry.by_rank.get(severity.rank, 0) for entry in entries)
        for severity in _MOST_SEVERE_FIRST
    }
    return {
        "service": service,
        "files": len(entries),
        "owned": sum(entry.is_owned for entry in entries),
        **counts,
        "bytes": sum(entry.bytes for entry in entries),
        "quarantined": place.quarantined()[service],
        "path": place.path,
    }
