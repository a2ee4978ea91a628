"""Everything is killed again and again, and nothing accepted is lost."""

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ
from tests.servers.worker import clean_environment
from tests.tools.heir import drain_spools
from tests.tools.oracle import assert_nothing_lost, read_ledgers, wait_until_stored
from tests.tools.publisher import declare
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

PRODUCERS: Final = 4
EVENTS: Final = 10_000
PER_SECOND: Final = 25.0
"""Of each producer: the faults are spread over what takes a hundred seconds without them."""
BROKER_KILLS, WORKER_KILLS, DATABASE_STOPS, PRODUCER_KILLS = 5, 10, 2, 8

Fault = Callable[[], Awaitable[object]]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.may_block("asks SQLite and files for what was stored"),
]


class Producers:
    """Four services, each started again when it is killed, until it has emitted all of its events."""

    def __init__(self, broker_url: str, home: Path) -> None:
        self.kills = 0
        self._broker_url = broker_url
        self._home = home
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    @staticmethod
    def service(number: int) -> str:
        return f"service-{number}"

    async def run(self) -> None:
        await asyncio.gather(*(self._run_one(number) for number in range(PRODUCERS)))

    async def kill_one(self, chance: random.Random) -> None:
        running = [one for one in self._processes.values() if one.returncode is None]
        if running:
            self.kills += 1
            with suppress(ProcessLookupError):
                chance.choice(running).kill()

    async def _run_one(self, number: int) -> None:
        words = [self._broker_url, self.service(number), str(EVENTS // PRODUCERS)]
        words += [str(self._home / f"ledger-{number}"), "spooled", str(PER_SECOND)]
        code: int | None = None
        while code != 0:
            self._processes[number] = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.acceptance.producer",
                *words,
                cwd=Path(__file__).parents[2],
                env=clean_environment(self._home),
                stderr=asyncio.subprocess.DEVNULL,  # five thousand traces of the errors handed over
            )
            code = await self._processes[number].wait()
            assert code in (0, -9), f"producer {number} ended with {code}"


async def keep_running(worker: WorkerProcess) -> None:
    """What systemd does: start it again whenever it ends."""
    while True:
        if not worker.is_running:
            await worker.launch()
        await asyncio.sleep(0.1)


async def inflict(faults: list[Fault], ledgers: Path, chance: random.Random) -> None:
    """One fault after the other in random order, each when the producers have got further."""
    chance.shuffle(faults)
    for number, fault in enumerate(faults):
        await progress(ledgers, EVENTS * (number + 1) // (len(faults) + 2))
        await fault()


async def progress(ledgers: Path, events: int) -> None:
    async def are_written() -> bool:
        return len(read_ledgers(ledgers)) >= min(events, EVENTS)

    await until(are_written, f"{events} events are handed over", seconds=300)


def harms(worker: WorkerProcess, producers: Producers, chance: random.Random) -> list[Fault]:
    """What both tests do to the worker and the producers."""

    def kill_worker() -> Awaitable[object]:
        return worker.signal(signal.SIGKILL)

    def kill_producer() -> Awaitable[object]:
        return producers.kill_one(chance)

    return [kill_worker] * WORKER_KILLS + [kill_producer] * PRODUCER_KILLS


async def run_through(
    worker: WorkerProcess, producers: Producers, faults: list[Fault], home: Path, chance: random.Random
) -> None:
    async with asyncio.timeout(700):
        keeping = asyncio.create_task(keep_running(worker))
        try:
            await asyncio.gather(producers.run(), inflict(faults, home, chance))
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))


async def test_amqp_into_postgresql(
    private_rabbitmq: PrivateRabbitMQ, private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    print(f"faults at seed {seed}")
    chance = random.Random(seed)
    broker, database = private_rabbitmq, private_postgresql
    assert (await command("db", "upgrade", FAULTWIRE_DATABASE_URL=database.url))[0] == 0
    await declare(broker.url)
    worker = WorkerProcess(tmp_path, database_url=database.url, broker_url=broker.url)
    producers = Producers(broker.url, tmp_path)

    async def kill_broker() -> None:
        broker.kill()
        await progress(tmp_path, len(read_ledgers(tmp_path)) + chance.randrange(20, 200))
        await broker.start()

    async def stop_database() -> None:
        await asyncio.to_thread(database.stop_immediately)
        await progress(tmp_path, len(read_ledgers(tmp_path)) + chance.randrange(20, 200))
        await database.start()

    faults = harms(worker, producers, chance)
    faults += [kill_broker] * BROKER_KILLS
    faults += [stop_database] * DATABASE_STOPS
    await run_through(worker, producers, faults, tmp_path, chance)
    await finish(worker, producers, tmp_path, database.url, broker.url)


async def test_http_into_sqlite(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"faults at seed {seed}")
    chance = random.Random(seed)
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    worker = WorkerProcess(tmp_path, database_url=url)
    producers = Producers(worker.url, tmp_path)
    faults = harms(worker, producers, chance)
    await run_through(worker, producers, faults, tmp_path, chance)
    await finish(worker, producers, tmp_path, url, None)


async def finish(
    worker: WorkerProcess, producers: Producers, home: Path, database_url: str, broker_url: str | None
) -> None:
    """When everything is up again, everything arrives, once; nothing is left anywhere."""
    if worker.is_running:
        await worker.signal(signal.SIGKILL)
    await worker.start()
    await drain_spools(broker_url or worker.url, home, map(Producers.service, range(PRODUCERS)))
    ledger = read_ledgers(home)
    await wait_until_stored(ledger, database_url=database_url, broker_url=broker_url)
    assert await worker.end() == 0
    assert len(ledger) == EVENTS
    assert {entry.state for entry in ledger} <= {"confirmed", "spooled"}
    in_flight = producers.kills * max(1, round(PER_SECOND / 5))
    found = await assert_nothing_lost(
        ledger, database_url=database_url, broker_url=broker_url, unwritten=in_flight
    )
    assert found.dead == 0
    print(found)
