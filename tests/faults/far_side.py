"""What the client publishes to, behind a proxy: RabbitMQ, or a worker's own intake."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from msgspec import Struct
from tests.faults.host import Host
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import running, unreported
from tests.tools.oracle import Audit, assert_nothing_lost, ready_in
from tests.tools.proxy import Proxy, proxy_to
from tests.tools.publisher import declare
from tests.tools.store_reader import StoreReader

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.receive.http import IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.application import create_app
from faultwire_shared.event import Lane
from faultwire_shared.health import HealthChecker


class FarSide(Struct):
    """Where the events go."""

    url: str
    """Through the proxy."""
    proxy: Proxy
    database_url: str
    broker: RabbitMQ | None = None
    answers: deque[web.Response] | None = None
    """What the intake says instead of storing, once each."""

    async def arrived(self) -> int:
        """Messages in the broker's queues, or events in the intake's store."""
        if self.broker is not None:
            return await ready_in(self.broker.url)
        return await StoreReader(self.database_url).stored()

    async def assert_stored_once(self, *hosts: Host) -> Audit:
        """Let a worker store what the broker holds, and ask the oracle."""
        ledger = [entry for host in hosts for entry in host.ledger]
        broker_url = None
        if self.broker is not None:
            broker_url = self.broker.url
            await store_all(self.broker, self.database_url, events=len(ledger))
        return await assert_nothing_lost(ledger, database_url=self.database_url, broker_url=broker_url)


async def store_all(broker: RabbitMQ, database_url: str, *, events: int) -> None:
    """Run a worker until so many events are stored; what came twice is drained with them."""
    async with running(database_url, broker.url) as bench:
        await bench.wait_for(events)
        while await ready_in(broker.url):
            bench.check()


def through(url: str, proxy: Proxy) -> str:
    """The URL of the proxy's server by way of the proxy."""
    return url.replace(f":{proxy.server_port}/", f":{proxy.port}/")


@asynccontextmanager
async def rabbitmq_side(broker: RabbitMQ, home: Path) -> AsyncIterator[FarSide]:
    """A broker with its topology; a worker comes at the end."""
    await declare(broker.url)
    async with proxy_to(broker.port) as proxy:
        yield FarSide(through(broker.url, proxy), proxy, f"sqlite:///{home / 'faultwire.db'}", broker)


@asynccontextmanager
async def intake_side(home: Path) -> AsyncIterator[FarSide]:
    """A worker's intake that stores."""
    database_url = f"sqlite:///{home / 'faultwire.db'}"
    store, metrics = await open_store(database_url), Metrics()
    doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
    pipeline = Pipeline(store, metrics=metrics)
    loops = [LaneLoop(door, pipeline, metrics=metrics) for door in doors]
    tasks = [asyncio.create_task(door.run()) for door in doors]
    tasks += [asyncio.create_task(loop.run()) for loop in loops]
    answers: deque[web.Response] = deque()
    storing = storing_intake(doors)

    async def intake(request: web.Request) -> web.Response:
        if answers:
            await request.read()
            return answers.popleft()
        return await storing(request)

    app = create_app(
        store=store,
        health=Health(live=HealthChecker(), ready=HealthChecker(), startup=HealthChecker()),
        metrics=metrics,
        intake=intake,
        report=unreported(),
        clock=lambda: datetime.now(UTC),
        pipeline=pipeline,
        policy=read_policy,
        loopback_only=True,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with proxy_to(runner.addresses[0][1]) as proxy:
            yield FarSide(f"http://127.0.0.1:{proxy.port}", proxy, database_url, answers=answers)
    finally:
        await runner.cleanup()
        for door in doors:
            await door.stop()
            await door.close()
        await asyncio.wait(tasks, timeout=20)
        await store.close()
