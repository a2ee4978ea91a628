"""SQLite's file is locked, or its disk is full: events wait, and none is lost or made a dead letter."""

import asyncio
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import MANY_TRIES, RETURNED_ONCE, running
from tests.tools.oracle import assert_nothing_lost
from tests.tools.publisher import publishing
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.store.contract.timeouts import Timeouts

EVENTS: Final = 60
LARGE: Final[dict[str, Any]] = {"context": {f"key {number}": "x" * 1000 for number in range(20)}}
LOCKER: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'faultwire.db'}"


@asynccontextmanager
async def another_process_writing(path: Path) -> AsyncIterator[None]:
    """A process that holds the file's write lock."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        LOCKER,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        await process.communicate(b"")  # closes its stdin


@pytest.mark.line(22)
@pytest.mark.usefixtures("quick_trials")
async def test_a_file_that_another_process_locks_is_waited_for(
    broker: RabbitMQ, url: str, tmp_path: Path
) -> None:
    timeouts = Timeouts(lock=0.1)
    async with publishing(broker.url) as publisher, running(url, broker.url, timeouts=timeouts) as bench:
        async with another_process_writing(tmp_path / "faultwire.db"):
            await publisher.publish_many(EVENTS)
            await until(bench.is_paused, "the lane is paused")
            await bench.wait_for_tries(MANY_TRIES)
            assert bench.met("database is locked")
        await bench.wait_for(EVENTS)
        assert bench.most_attempts <= RETURNED_ONCE
    found = await assert_nothing_lost(publisher.ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (EVENTS, 0)


@pytest.mark.line(24)
@pytest.mark.e2e
@pytest.mark.may_block("starts a worker's process")
@pytest.mark.timeout(240)
async def test_a_file_that_may_not_grow_makes_events_wait(broker: RabbitMQ, url: str, tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path, database_url=url, broker_url=broker.url)
    reader = StoreReader(url)
    await worker.launch()
    await until(worker.is_ready, "the worker is ready", seconds=90)

    async def is_paused() -> bool:
        return not await worker.is_ready()

    async def stored() -> bool:
        return await reader.stored() >= EVENTS

    async with publishing(broker.url) as publisher:
        # What the kernel refuses (EFBIG) comes as SQLite's I/O error, as a full disk comes as its own.
        limit_files(worker.pid, await asyncio.to_thread(largest, tmp_path))
        await publisher.publish_many(EVENTS, **LARGE)
        await until(is_paused, "a lane is paused")
        assert await reader.one("SELECT count(*) FROM {s}dead_letters") == 0
        limit_files(worker.pid, resource.RLIM_INFINITY)
        await until(stored, "every event is stored", seconds=60)
    assert await worker.signal(signal.SIGTERM) == 0
    found = await assert_nothing_lost(publisher.ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (EVENTS, 0)


def limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def largest(directory: Path) -> int:
    return max(path.stat().st_size for path in directory.glob("faultwire.db*"))
