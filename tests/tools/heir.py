"""The next process of a service: it publishes what those before it left on the disk."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire.queue.directory import default_spool_path


async def drain_spools(broker_url: str, home: Path, services: Iterable[str]) -> None:
    """Publish what services left that ran with this home, as their next start would."""
    environment = {"XDG_STATE_HOME": str(home / "state")}
    for service in services:
        path = Path(default_spool_path(environment, service))
        async with ErrorManager(service=service, broker_url=broker_url, spool_path=path) as heir:

            async def is_drained(path: Path = path, heir: ErrorManager = heir) -> bool:
                owners = [name.split("-")[-2] for name in await _files_in(path) if name.endswith(".db")]
                return owners == [str(os.getpid())] and heir.stats().spooled == 0

            await until(is_drained, f"the spool {path} is drained", seconds=120)
        assert await _files_in(path) == []


async def _files_in(directory: Path) -> list[str]:
    return await asyncio.to_thread(os.listdir, directory)
