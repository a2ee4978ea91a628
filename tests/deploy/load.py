"""Clients that go on through a disaster, and the account of every event that they sent."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.servers.postgresql import PostgreSQL
from tests.servers.worker import Worker
from tests.tools.waiting import until

from faultwire import ErrorManager

CLIENTS: Final = 4
SUMS: Final = """SELECT (SELECT count(*) FROM {0}events WHERE service <> 'faultwire'),
  (SELECT coalesce(sum(count), 0) FROM {0}events), (SELECT coalesce(sum(count), 0) FROM {0}incidents)"""


class Load:
    """Clients that go on while a backup is made and while their worker is away."""

    def __init__(self, clients: list[ErrorManager]) -> None:
        self._clients = clients
        self.sent = 0

    async def send(self, times: int) -> None:
        """So many events of each client, each confirmed before the next."""
        for _ in range(times):
            for client in self._clients:
                response = await client.handle_error(ValueError("no such order"))
                await response.delivered(60)
                self.sent += 1

    async def send_while(self, work: Callable[[], Any]) -> None:
        """Events for as long as some work takes in a thread, and some before and after."""
        await self.send(5)
        task = asyncio.create_task(asyncio.to_thread(work))
        while not task.done():
            await self.send(1)
        await task
        await self.send(5)

    def on_disk(self) -> int:
        """How many events wait in the clients' spools."""
        return sum(client.stats().spooled for client in self._clients)


@asynccontextmanager
async def load_on(url: str, tmp_path: Path) -> AsyncIterator[Load]:
    """Clients that publish to this address, a worker's or a broker's."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                ErrorManager(
                    service=f"shop-{number}",
                    broker_url=url,
                    spool_path=str(tmp_path / f"spool-{number}"),
                    collapse_storms=False,
                )
            )
            for number in range(CLIENTS)
        ]
        yield Load(clients)


async def until_accounted_for(worker: Worker, stored: Callable[[], int], sent: int) -> None:
    """Wait until each event is in the store or missed by the audit, and none is both.

    A client that was not told of a commit before the worker ended sends that event again, so it is back.
    """

    async def is_so() -> bool:
        return stored() + missed_by(worker) == sent

    await until(is_so, f"all of {sent} events are accounted for", seconds=120)


def missed_by(worker: Worker) -> int:
    """How many events the audit says are lost."""
    producers = worker.get("/api/v1/producers?limit=100")["producers"]
    return sum(int(one["missing"]) for one in producers)


async def until_stored(stored: Callable[[], int], sent: int) -> None:
    """A client on a slow machine is told that an event lies on its disk, before it is stored."""

    async def are_stored() -> bool:
        return stored() == sent

    await until(are_stored, f"{sent} events are stored", seconds=120)


def sqlite_sums(file: Path) -> tuple[int, int, int]:
    """The clients' events, what all events count, and what all incidents count."""
    connection = sqlite3.connect(file)
    try:
        events, of_events, of_incidents = connection.execute(SUMS.format("")).fetchone()
    finally:
        connection.close()
    return int(events), int(of_events), int(of_incidents)


def postgresql_sums(server: PostgreSQL) -> tuple[int, int, int]:
    """The same of PostgreSQL."""
    events, of_events, of_incidents = re.findall(r"\d+", str(server.execute(SUMS.format("faultwire."))))
    return int(events), int(of_events), int(of_incidents)
