"""Three workers share a cluster's queues and one database, while node after node is killed."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.servers.cluster import NODES, Cluster
from tests.servers.postgresql import PostgreSQL
from tests.servers.worker import clean_environment
from tests.tools.heir import drain_spools
from tests.tools.oracle import assert_nothing_lost, read_ledgers, wait_until_stored
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

WORKERS: Final = 3
PRODUCERS: Final = 2
EVENTS: Final = 1_500
"""Of each producer."""
PER_SECOND: Final = 20.0
BETWEEN: Final = 150
"""Events that are handed over while a node is away, and before the next one goes."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.may_block("asks a cluster's nodes and reads files"),
]


def service(number: int) -> str:
    return f"service-{number}"


async def emit(broker_url: str, number: int, home: Path) -> None:
    words = [broker_url, service(number), str(EVENTS), str(home / f"ledger-{number}")]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.acceptance.producer", *words, "spooled", str(PER_SECOND)),
        cwd=Path(__file__).parents[2],
        env=clean_environment(home),
        stderr=asyncio.subprocess.DEVNULL,  # thousands of traces of the errors handed over
    )
    assert await process.wait() == 0


async def progress(home: Path, events: int) -> None:
    async def are_written() -> bool:
        return len(read_ledgers(home)) >= min(events, PRODUCERS * EVENTS)

    await until(are_written, f"{events} events are handed over", seconds=300)


async def harm(cluster: Cluster, workers: list[WorkerProcess], home: Path) -> None:
    """Every node once, and a worker beside each."""
    for node in range(NODES):
        await progress(home, len(read_ledgers(home)) + BETWEEN)
        cluster.kill(node)
        await workers[node].kill()
        await progress(home, len(read_ledgers(home)) + BETWEEN)
        await cluster.start(node)
        await workers[node].start()


async def test_nothing_is_lost_or_counted_twice_and_no_worker_deadlocks_another(
    rabbitmq_cluster: Cluster, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url, cluster = postgresql.url, rabbitmq_cluster
    assert (await command("db", "upgrade", FAULTWIRE_DATABASE_URL=url))[0] == 0
    assert (await command("topology", "apply", FAULTWIRE_BROKER_URL=cluster.url))[0] == 0
    workers = []
    for number in range(WORKERS):
        (tmp_path / str(number)).mkdir()
        workers.append(WorkerProcess(tmp_path / str(number), database_url=url, broker_url=cluster.url))
    await asyncio.gather(*(worker.start() for worker in workers))
    async with asyncio.TaskGroup() as group:
        for number in range(PRODUCERS):
            group.create_task(emit(cluster.url, number, tmp_path))
        group.create_task(harm(cluster, workers, tmp_path))
    # A producer that ends while its node is away leaves on the disk what it could not publish.
    await drain_spools(cluster.url, tmp_path, map(service, range(PRODUCERS)))
    ledger = read_ledgers(tmp_path)
    await wait_until_stored(ledger, database_url=url, broker_url=cluster.url)
    assert [await worker.end() for worker in workers] == [0] * WORKERS
    assert len(ledger) == PRODUCERS * EVENTS
    found = await assert_nothing_lost(ledger, database_url=url, broker_url=cluster.url)
    assert found.dead == 0
    assert (
        postgresql.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == "0"
    )
    print(found)
