"""A service whose spool's disk is full, in a process (and a mount namespace) of its own; prints what became.

Usage: python -m tests.faults.full_disk tmpfs|limit DIRECTORY
"""

import asyncio
import json
import logging
import resource
import subprocess
import sys
from pathlib import Path

from msgspec import Struct, field
from tests.tools.spool_reader import spooled_ids

from faultwire import ErrorManager

NOBODY_LISTENS = "amqp://127.0.0.1:1/"


class Report(Struct):
    """What the service was told, and what lies in its spool."""

    accepted: list[str] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)
    on_disk_while_full: list[str] = field(default_factory=list)
    on_disk_after: list[str] = field(default_factory=list)
    states_after: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    adds_up: bool = False


async def run(directory: Path, *, tmpfs: bool) -> Report:
    """Fill the disk, make room, and go on."""
    report = Report()
    fill(directory, tmpfs=tmpfs)
    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=NOBODY_LISTENS, spool_path=directory / "s"
    ) as errors:
        responses = []
        while len(report.turned_away) < 5:
            response = await errors.handle_error(ValueError("x" * 900), "high", durability="spooled")
            responses.append(response)
            kept = report.accepted if response.state.accepted else report.turned_away
            kept.append(response.error_id)
        report.on_disk_while_full = sorted(await asyncio.to_thread(spooled_ids, directory))
        make_room(directory, tmpfs=tmpfs)
        report.states_after = [(await response.delivered(60)).state for response in responses]
        report.on_disk_after = sorted(await asyncio.to_thread(spooled_ids, directory))
        stats = errors.stats()
        report.lost = dict(stats.lost)
        report.adds_up = stats.handled == stats.confirmed + stats.spooled + stats.buffered + sum(
            stats.lost.values()
        )
    return report


def fill(directory: Path, *, tmpfs: bool) -> None:
    """Leave 1 MiB: of the disk, or for each file."""
    if tmpfs:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", directory], check=True)
    else:
        # Python ignores SIGXFSZ: a write beyond it fails with EFBIG, which SQLite calls an I/O error.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, resource.RLIM_INFINITY))


def make_room(directory: Path, *, tmpfs: bool) -> None:
    """Let it write again."""
    if tmpfs:
        subprocess.run(["mount", "-o", "remount,size=16m", directory], check=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    logging.basicConfig()
    found = asyncio.run(run(Path(sys.argv[2]), tmpfs=sys.argv[1] == "tmpfs"))
    print(json.dumps({name: getattr(found, name) for name in Report.__struct_fields__}))
