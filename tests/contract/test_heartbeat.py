"""A heartbeat goes out while all moves, and stops when something is stuck."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.tools.clock import FixedClock
from tests.tools.fakes import BreakableStore

from faultwire_consumer.config import ConfigError, WorkerConfig, load_config
from faultwire_consumer.maintenance.heartbeat import Heartbeat, HeartbeatError, why_not_moving
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.worker.assembly import assemble
from faultwire_consumer.worker.lifecycle import chores_of, release
from faultwire_shared.health import HealthChecker


class Listener:
    """Counts heartbeats, and answers as a test likes."""

    def __init__(self) -> None:
        self.heard = 0
        self.status = 200

    async def hear(self, _: web.Request) -> web.Response:
        self.heard += 1
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


class Bench:
    def __init__(self, url: str) -> None:
        self.url, self.stuck, self.metrics = url, "", Metrics()
        self.heartbeat = Heartbeat(
            url, every_seconds=60, why_stuck=self.why, metrics=self.metrics, sleep=self.sleep
        )
        self.slept = list[float]()

    async def why(self) -> str:
        return self.stuck

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            raise asyncio.CancelledError

    def count(self, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value("faultwire_heartbeats_total", {"outcome": outcome})
        return value or 0.0


@pytest.fixture
async def listener() -> Listener:
    return Listener()


@pytest.fixture
async def bench(listener: Listener) -> AsyncIterator[Bench]:
    application = web.Application()
    application.router.add_get("/secret-id", listener.hear)
    async with TestServer(application) as server:
        yield Bench(str(server.make_url("/secret-id")))


async def test_it_beats_again_and_again_while_all_moves(bench: Bench, listener: Listener) -> None:
    with pytest.raises(asyncio.CancelledError):
        await bench.heartbeat.run()
    assert (listener.heard, bench.slept, bench.count("sent")) == (3, [60, 60, 60], 3)
    await bench.heartbeat.check()


async def test_it_is_withheld_while_something_is_stuck_and_goes_on_after_that(
    bench: Bench, listener: Listener
) -> None:
    bench.stuck = "failing: lane critical"
    assert not await bench.heartbeat.beat()
    assert (listener.heard, bench.count("withheld")) == (0, 1)
    with pytest.raises(HeartbeatError, match="withheld: failing: lane critical"):
        await bench.heartbeat.check()
    bench.stuck = ""
    assert await bench.heartbeat.beat()
    await bench.heartbeat.check()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_an_answer_that_is_no_yes_is_told_without_the_address(
    bench: Bench, listener: Listener, status: int
) -> None:
    listener.status = status
    assert not await bench.heartbeat.beat()
    assert listener.heard == 1, "a redirect is not followed"
    with pytest.raises(HeartbeatError) as error:
        await bench.heartbeat.check()
    assert str(error.value) == f"127.0.0.1 answered {status}"


async def test_nobody_there_is_told_without_the_address() -> None:
    bench = Bench("http://127.0.0.1:1/secret-id")
    assert not await bench.heartbeat.beat()
    with pytest.raises(HeartbeatError) as error:
        await bench.heartbeat.check()
    assert "secret" not in str(error.value)
    assert bench.count("failed") == 1


async def test_a_store_that_takes_no_writes_stops_it(store: Store, clock: FixedClock) -> None:
    ready, broken = HealthChecker(), BreakableStore(store)
    assert await why_not_moving(ready, broken, "me", clock=clock) == ""
    broken.is_away = True
    why = await why_not_moving(ready, broken, "me", clock=clock)
    assert why == "the store takes no writes: StoreUnavailableError"


async def test_a_worker_beats_unless_its_lanes_receive_nothing(
    bench: Bench, listener: Listener, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    for broker, why in (
        (None, ""),
        ("amqp://nobody:secret@127.0.0.1:1/", "withheld: failing: .*lane critical"),
    ):
        config = WorkerConfig(database_url=url, http_port=0, heartbeat_url=bench.url, broker_url=broker)
        worker = await assemble(config)
        try:
            heartbeat = chores_of(worker)["heartbeat"]
            assert isinstance(heartbeat, Heartbeat)
            assert await heartbeat.beat() == (not why)
            if why:
                with pytest.raises(HeartbeatError, match=why):
                    await heartbeat.check()
        finally:
            await release(worker)
    assert listener.heard == 1


async def test_a_check_that_is_required_and_fails_is_named_and_a_hint_is_not() -> None:
    async def fails() -> None:
        raise RuntimeError("no")

    ready = HealthChecker()
    ready.add_check("outbox", fails)
    ready.add_check("heartbeat", fails, required=False)
    why = await why_not_moving(ready, None, "me", clock=None)  # type: ignore[arg-type]  # neither is asked
    assert why == "failing: outbox"


@pytest.mark.parametrize(
    "url", ["hc-ping.example/secret", "ftp://secret.example/", "http:///secret", "https://a:0/secret"]
)
def test_an_address_that_cannot_be_asked_is_refused_without_being_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_HEARTBEAT_URL", url)
    with pytest.raises(ConfigError, match="write an address with a host") as error:
        load_config()
    assert "secret" not in str(error.value)
