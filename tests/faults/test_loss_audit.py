"""The loss audit end to end: what vanishes on the wire is told, and what was given up has its reason.

Nothing here waits for the worker's 30 seconds: its eyes look when a test says so, and have less patience.
"""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession
from msgspec import Struct
from sqlalchemy import select
from tests.faults.thief import AmqpThief, HttpThief, Loot, amqp_thief, http_thief
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import Bench, running, running_intake
from tests.tools.fake_transport import FakeTransport
from tests.tools.publisher import declare, publishing
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess
from tests.tools.worker_process import running as worker_running

from faultwire import ErrorManager
from faultwire.publish.transport import TransportDown
from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.store.schema.events import incidents, producers, sequence_gaps
from faultwire_shared.event import Lane

OPEN_SECONDS: Final = 2.0
MARK: Final = b"stolen"
SMALL_SPOOL: Final = 100_000
KILLED: Final = """
import asyncio, os, signal, sys
from faultwire import ErrorManager

async def main():
    async with ErrorManager(
        service="shop", broker_url=sys.argv[1], spool_path=sys.argv[2], confirm_timeout=60
    ) as errors:
        while errors._parts.account._ledger is None:
            await asyncio.sleep(0.01)
        response = await errors.handle_error(ValueError("arrives"), durability="confirmed")
        while response.state.state != "confirmed":
            await asyncio.sleep(0.01)
        for number in range(5):
            errors.handle_error_nowait(ValueError(str(number)))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""

pytestmark = pytest.mark.may_block("starts processes, looks into directories")


class Scene(Struct):
    """A worker, and a client's way to it with a thief on it."""

    bench: Bench
    client_url: str
    loot: list[Loot]
    replay: Callable[[Loot], Any]

    async def gaps(self, state: GapState) -> list[tuple[int, int, str | None]]:
        table = sequence_gaps.c
        rows = await self.bench.store.read(
            select(table.first, table.last, table.reason)
            .where(table.state == state.value)
            .order_by(table.first)
        )
        return [(row.first, row.last, row.reason) for row in rows]

    async def told(self) -> list[tuple[str, str]]:
        table = incidents.c
        rows = await self.bench.store.read(
            select(table.title, table.status).where(table.service == "faultwire").order_by(table.id)
        )
        return [(row.title, row.status) for row in rows]

    async def last_numbers(self) -> dict[str, int]:
        table = producers.c
        rows = await self.bench.store.read(select(table.producer_id, table.last_sequence))
        return {row.producer_id: row.last_sequence for row in rows}


@pytest.fixture(params=["amqp", "http"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_over(request, request.param, f"sqlite:///{tmp_path / 'faultwire.db'}") as scene:
        yield scene


@asynccontextmanager
async def scene_over(
    request: pytest.FixtureRequest, transport: str, database_url: str
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        thief: AmqpThief | HttpThief
        if transport == "http":
            bench = await stack.enter_async_context(running_intake(database_url))
            thief = await stack.enter_async_context(http_thief(bench.url, steals))
            yield Scene(bench, thief.url, thief.loot, lambda loot: post(bench.url, loot.body))
            return
        broker: RabbitMQ = request.getfixturevalue("rabbitmq")
        await declare(broker.url)
        thief = await stack.enter_async_context(amqp_thief(broker.port, steals))
        publisher = await stack.enter_async_context(publishing(broker.url))
        bench = await stack.enter_async_context(running(database_url, broker.url))
        url = broker.url.replace(f":{broker.port}/", f":{thief.port}/")
        replay = lambda loot: publisher.publish_body(loot.body, loot.message_type, lane=Lane.ROUTINE)  # noqa: E731 - one of two
        yield Scene(bench, url, thief.loot, replay)


def steals(body: bytes) -> bool:
    return MARK in body


async def post(url: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with (
        ClientSession() as session,
        session.post(f"{url}/ingest/v1/events", data=body, headers=headers) as answer,
    ):
        assert answer.status == 202


async def test_an_event_that_vanishes_on_the_wire_is_told_and_taken_back_when_it_is_replayed(
    scene: Scene,
) -> None:
    watch = scene.bench.watch(open_seconds=OPEN_SECONDS)
    async with ErrorManager(collapse_storms=False, service="shop", broker_url=scene.client_url) as errors:
        for text in ("first", MARK.decode(), "third"):
            response = await errors.handle_error(ValueError(text), durability="confirmed")
            await until(lambda r=response: is_confirmed(r), "the client believes it")  # type: ignore[misc]  # mypy cannot type a lambda's default
        assert len(scene.loot) == 1

        async def is_told() -> bool:
            await watch.run_once()
            return bool(await scene.told())

        await until(is_told, "the gap is told")
    (producer,) = [one for one, last in (await scene.last_numbers()).items() if last == 3]
    assert await scene.told() == [(f"event 2 of producer {producer} (shop) did not arrive", "open")]
    assert scene.bench.metrics.sequence_gap_events._value.get() == 1

    await scene.replay(scene.loot[0])

    async def is_resolved() -> bool:
        await watch.run_once()
        return [status for _, status in await scene.told()] == ["resolved"]

    await until(is_resolved, "the incident is resolved")
    assert await scene.gaps(GapState.OPEN) == []
    assert scene.bench.metrics.sequence_gap_events._value.get() == 0


async def is_confirmed(response: Any) -> bool:
    return bool(response.state.state == "confirmed")


async def test_the_last_event_is_missed_too_as_the_last_report_says_how_far_it_got(scene: Scene) -> None:
    async with ErrorManager(collapse_storms=False, service="shop", broker_url=scene.client_url) as errors:
        await errors.handle_error(ValueError("first"), durability="confirmed")
        await errors.handle_error(ValueError(MARK.decode()), durability="confirmed")

    async def is_missed() -> bool:
        return await scene.gaps(GapState.OPEN) == [(2, 2, None)]

    await until(is_missed, "the last number is missing")


async def test_what_found_no_room_is_reported_with_its_reason_and_nobody_is_woken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=scene.client_url, spool_path=""
    ) as errors:
        await errors.handle_error(ValueError("first"), durability="confirmed")
        for number in range(3):
            errors.handle_error_nowait(ValueError(str(number)))
        monkeypatch.setattr(outlet_of(errors).buffer, "_room", dict.fromkeys(Lane, 0))
        lost = [errors.handle_error_nowait(ValueError(str(number))) for number in range(5)]
        assert [one.state.reason for one in lost] == ["buffer_full"] * 5
        assert await errors.flush(60)

    async def is_reported() -> bool:
        reported = await scene.gaps(GapState.REPORTED) == [(5, 9, "buffer_full")]
        return reported and await scene.gaps(GapState.OPEN) == []

    await until(is_reported, "the loss is reported, and the rest has arrived")
    await scene.bench.watch(open_seconds=0).run_once()
    assert await scene.told() == []


def outlet_of(errors: ErrorManager) -> Any:
    return errors._parts.outlet


async def test_what_was_evicted_is_reported_by_the_heir_to_a_worker_that_was_restarted(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database, spool = f"sqlite:///{tmp_path / 'faultwire.db'}", tmp_path / "spool"
    async with (
        scene_over(request, "http", database) as scene,
        ErrorManager(
            collapse_storms=False, service="shop", broker_url=scene.client_url, spool_path=spool
        ) as errors,
    ):
        await errors.handle_error(ValueError("first"), durability="confirmed")
    # The worker is away, the spool is small, and what is critical displaces the rest.
    nobody = FakeTransport()
    nobody.open_answers.extend([TransportDown("away")] * 1_000)
    async with ErrorManager(
        collapse_storms=False,
        service="shop",
        transport=lambda: nobody,
        spool_path=spool,
        spool_bytes=SMALL_SPOOL,
    ) as away:
        for number in range(40):
            await away.handle_error(ValueError(str(number)), "low", durability="spooled")
        for number in range(40):
            await away.handle_error(ValueError(str(number)), "critical", durability="spooled")
    lost = away.stats().lost
    assert lost["spool_evicted"] > 0
    async with (
        scene_over(request, "http", database) as scene,
        ErrorManager(collapse_storms=False, service="shop", broker_url=scene.client_url, spool_path=spool),
    ):

        async def is_told() -> bool:
            counts: Counter[str | None] = Counter()
            for first, last, reason in await scene.gaps(GapState.REPORTED):
                counts[reason] += last - first + 1
            return counts == lost and await scene.gaps(GapState.OPEN) == []

        await until(is_told, "what was lost is reported, and the rest has arrived")
        assert sorted((await scene.last_numbers()).values()) == [1, 80]


async def test_a_killed_producers_last_numbers_are_missed_once_its_heir_runs(
    scene: Scene, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, scene.client_url, str(tmp_path / "spool")]
    killed = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, timeout=90)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    async def has_arrived() -> bool:
        return list((await scene.last_numbers()).values()) == [1]

    await until(has_arrived, "the first event has arrived")
    watch = scene.bench.watch(open_seconds=0)
    await watch.run_once()
    assert await scene.told() == [], "until then nobody can know"
    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=scene.client_url, spool_path=tmp_path / "spool"
    ):

        async def is_told() -> bool:
            await watch.run_once()
            return bool(await scene.told())

        await until(is_told, "the gap is told")
    ((producer, _),) = (await scene.last_numbers()).items()
    assert await scene.told() == [(f"events 2 to 6 of producer {producer} (shop) did not arrive", "open")]


@pytest.mark.e2e
@pytest.mark.timeout(240)
@pytest.mark.parametrize("transport", ["amqp", "http"])
async def test_a_worker_as_it_is_shipped_tells_within_a_minute_and_takes_it_back(
    transport: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker: RabbitMQ | None = request.getfixturevalue("rabbitmq") if transport == "amqp" else None
    if broker is not None:
        await declare(broker.url)
    database = f"sqlite:///{tmp_path / 'faultwire.db'}"
    worker = WorkerProcess(tmp_path, database_url=database, broker_url=broker.url if broker else None)
    async with worker_running(worker), AsyncExitStack() as stack:
        thief: AmqpThief | HttpThief
        if broker is not None:
            thief = await stack.enter_async_context(amqp_thief(broker.port, steals))
            url = broker.url.replace(f":{broker.port}/", f":{thief.port}/")
        else:
            thief = await stack.enter_async_context(http_thief(worker.url, steals))
            url = thief.url
        async with ErrorManager(collapse_storms=False, service="shop", broker_url=url) as errors:
            for text in ("first", MARK.decode(), "third"):
                await errors.handle_error(ValueError(text), durability="confirmed")
            at = asyncio.get_running_loop().time()
            await until(lambda: says(worker, "open"), "the gap is told", seconds=60)
            took = asyncio.get_running_loop().time() - at
        await until(lambda: one_missing(worker), "the metric says so", seconds=60)
        await post(worker.url, thief.loot[0].body)
        await until(lambda: says(worker, "resolved"), "the incident is resolved", seconds=60)
        await until(lambda: none_missing(worker), "the metric is back", seconds=60)
        print(f"told after {took:.1f} s")


async def says(worker: WorkerProcess, status: str) -> bool:
    _, answer = await worker.get("/api/v1/incidents?code=SEQUENCE_GAP")
    found = answer["incidents"]
    return [(one["status"], one["title"].split(" of ")[0]) for one in found] == [(status, "event 2")]


async def one_missing(worker: WorkerProcess) -> bool:
    return await missing_by(worker) == 1


async def none_missing(worker: WorkerProcess) -> bool:
    return await missing_by(worker) == 0


async def missing_by(worker: WorkerProcess) -> float:
    async with ClientSession() as session, session.get(f"{worker.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    (line,) = [one for one in lines if one.startswith("faultwire_sequence_gap_events ")]
    return float(line.split()[1])
