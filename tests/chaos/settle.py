"""Lets everything come to rest after the last fault, and then looks at what is where."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from tests.chaos.clients import KeptClient
from tests.chaos.findings import Kept, StoredEvent, StoredIncident
from tests.chaos.stage import Stage, client_of
from tests.chaos.trouble import group_of
from tests.tools.oracle import ready_in
from tests.tools.spool_reader import spooled_ids
from tests.tools.store_reader import StoreReader

REST_SECONDS: Final = 100.0
"""Without a step: what a killed worker had claimed comes again when its lease of 60 s is over."""
LOOK_SECONDS: Final = 0.2


async def come_to_rest(stage: Stage) -> None:
    """End the clients, publish what their spools hold, and wait until nothing moves any more.

    What does not come to rest in time is left to the verdict.
    """
    async with _heirs(stage):
        await _until_none(lambda: _count_spooled(stage))
    await _until_none(lambda: _count_missing(stage))
    await _until_none(lambda: StoreReader(stage.database.url).one(UNSENT))


@asynccontextmanager
async def _heirs(stage: Stage) -> AsyncIterator[None]:
    """The next process of each service, which hands over nothing of its own."""
    heirs = [
        client_of(stage, f"heir-{service}", "loop", service, per_second=0)
        for service in sorted(stage.services)
    ]
    keeping = [asyncio.create_task(heir.keep()) for heir in heirs]
    try:
        yield
    finally:
        await close_all(heirs, keeping)
        stage.clients |= {heir.role.name: heir for heir in heirs}


async def close_all(clients: list[KeptClient], keeping: list["asyncio.Task[None]"]) -> None:
    """Close them and wait for their ends."""
    for client in clients:
        await client.close()
    await asyncio.gather(*keeping)


async def _until_none(count: Callable[[], Awaitable[int]]) -> None:
    """Wait until nothing is left; give up when it has not become less for `REST_SECONDS`."""
    loop = asyncio.get_running_loop()
    left, deadline = await count(), loop.time() + REST_SECONDS
    while left and loop.time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        now = await count()
        if now < left:
            left, deadline = now, loop.time() + REST_SECONDS


async def _count_spooled(stage: Stage) -> int:
    try:
        return len(await asyncio.to_thread(spooled_ids, stage.spools))
    except (OSError, sqlite3.Error, AssertionError):  # it was written, or went away, while it was copied
        return 1


async def _count_missing(stage: Stage) -> int:
    """What was accepted and is neither stored nor a dead letter, and messages that stand in queues."""
    reader = StoreReader(stage.database.url)
    kept = {*await reader.event_ids(), *await reader.dead_letter_ids()}
    wanted: set[str] = set()
    for life in stage.book.lives.values():
        wanted |= life.accepted
    queued = 0 if stage.broker_url is None else await ready_in(stage.broker_url)
    return len(wanted - kept) + queued


UNSENT: Final = "SELECT count(*) FROM {s}outbox WHERE state = 'waiting'"
GIVEN_UP: Final = "SELECT count(*) FROM {s}outbox WHERE state = 'given_up'"
EVENTS: Final = """
SELECT e.event_id || '|' || e.service || '|' || e.count || '|' || f.incident_id
FROM {s}events e JOIN {s}fingerprints f ON f.fingerprint = e.fingerprint
"""
INCIDENTS: Final = "SELECT id || '|' || service || '|' || count || '|' || title FROM {s}incidents"
GAPS: Final = """
SELECT p.service || '|' || count(*)
FROM {s}sequence_gaps g JOIN {s}producers p ON p.producer_id = g.producer_id
WHERE g.state = 'open' GROUP BY p.service
"""


async def look(stage: Stage) -> Kept:
    """Read everything that holds anything, past all of faultwire; the workers have ended by now."""
    reader = StoreReader(stage.database.url)
    return Kept(
        events=[_event(row) for row in await reader.all(EVENTS)],
        incidents=[_incident(row) for row in await reader.all(INCIDENTS)],
        hourly=await reader.one("SELECT sum(count) FROM {s}hourly"),
        dead=await reader.all("SELECT coalesce(event_id, reason) FROM {s}dead_letters"),
        spooled=sorted(await asyncio.to_thread(spooled_ids, stage.spools)),
        queued=0 if stage.broker_url is None else await ready_in(stage.broker_url),
        unsent=await reader.one(UNSENT),
        given_up=await reader.one(GIVEN_UP),
        open_gaps=dict(_gap(row) for row in await reader.all(GAPS)),
    )


def _event(row: str) -> StoredEvent:
    event_id, service, count, incident = row.split("|")
    return StoredEvent(event_id, service, int(count), int(incident))


def _incident(row: str) -> StoredIncident:
    number, service, count, title = row.split("|", 3)
    return StoredIncident(int(number), service, group_of(title), int(count))


def _gap(row: str) -> tuple[str, int]:
    service, _, number = row.partition("|")
    return service, int(number)
