"""The worker's broker dies, restarts, freezes, falls silent, breaks in mid-frame or crawls."""

import random
from typing import Final

import pytest
from tests.faults.standstill import held_worker
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.bench import running
from tests.tools.oracle import assert_nothing_lost, wait_until_stored
from tests.tools.proxy import proxy_to
from tests.tools.publisher import Publisher, publishing
from tests.tools.waiting import until

from faultwire_shared import amqp
from faultwire_shared.event import Lane

pytestmark = pytest.mark.timeout(300)

EACH: Final = 40
ALL: Final = EACH * len(Lane)


async def publish_on_each_lane(publisher: Publisher) -> None:
    for lane in Lane:
        await publisher.publish_many(EACH, lane=lane)


@pytest.fixture
def short_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection counts as dead after 6 s of silence instead of 33."""
    monkeypatch.setattr(amqp, "HEARTBEAT_SECONDS", 1)


@pytest.mark.line(1)
@pytest.mark.e2e
async def test_a_broker_killed_in_mid_consumption_costs_no_event(
    private_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(private_broker.url) as publisher:
        await publish_on_each_lane(publisher)
    async with held_worker(database.url, private_broker.url, batches=len(Lane)) as (standstill, bench):
        private_broker.kill()
        await standstill.release()
        await private_broker.start()
        async with publishing(private_broker.url) as after:
            await publish_on_each_lane(after)
        await bench.wait_for(2 * ALL)
        assert bench.count("broker_losses", lane="high") >= 1
    assert bench.count("events_duplicate") > 0, "what was committed and could not be acked came again"
    ledger = publisher.ledger + after.ledger
    found = await assert_nothing_lost(ledger, database_url=database.url, broker_url=private_broker.url)
    assert found.stored == 2 * ALL


@pytest.mark.line(2)
@pytest.mark.e2e
async def test_a_broker_that_is_stopped_and_started_costs_no_event(
    private_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(private_broker.url) as publisher:
        await publish_on_each_lane(publisher)
    async with held_worker(database.url, private_broker.url, batches=len(Lane)) as (standstill, bench):
        await private_broker.control("stop_app")
        await standstill.release()
        await private_broker.control("start_app")
        async with publishing(private_broker.url) as after:
            await publish_on_each_lane(after)
        await bench.wait_for(2 * ALL)
    ledger = publisher.ledger + after.ledger
    await assert_nothing_lost(ledger, database_url=database.url, broker_url=private_broker.url)


@pytest.mark.line(3)
@pytest.mark.e2e
@pytest.mark.usefixtures("short_heartbeat")
async def test_a_frozen_broker_costs_no_event(private_broker: PrivateRabbitMQ, database: PostgreSQL) -> None:
    async with publishing(private_broker.url) as publisher:
        await publish_on_each_lane(publisher)
    async with held_worker(database.url, private_broker.url, batches=len(Lane)) as (standstill, bench):

        async def every_lane_knows() -> bool:
            return len(bench.idle()) == len(bench.receivers)

        async def everything_came() -> bool:
            waiting = sum(receiver.waiting for receiver in bench.receivers)
            return waiting + sum(bench.count("events_received", lane=lane) for lane in Lane) == ALL

        await until(everything_came, "nothing is left at the broker but what the worker holds")
        private_broker.pause()
        await standstill.release()
        await bench.wait_for(ALL)
        await until(every_lane_knows, "every lane knows that its connection is dead", seconds=120)
        private_broker.resume()
        async with publishing(private_broker.url) as after:
            await publish_on_each_lane(after)
        await bench.wait_for(2 * ALL, seconds=120)
    ledger = publisher.ledger + after.ledger
    await assert_nothing_lost(ledger, database_url=database.url, broker_url=private_broker.url)


@pytest.mark.line(4)
@pytest.mark.e2e
@pytest.mark.usefixtures("short_heartbeat")
async def test_a_half_open_connection_costs_no_event(broker: RabbitMQ, database: PostgreSQL) -> None:
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        await publish_on_each_lane(publisher)
        async with running(database.url, broker.url_through(proxy.port)) as bench:
            await bench.wait_for(ALL)
            proxy.swallow()
            await publish_on_each_lane(publisher)

            async def every_lane_knows() -> bool:
                return len(bench.idle()) == len(bench.receivers)

            await until(every_lane_knows, "every lane knows that nobody is there", seconds=60)
            proxy.heal()
            await bench.wait_for(2 * ALL)
            await wait_until_stored(publisher.ledger, database_url=database.url, broker_url=broker.url)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(6)
async def test_a_reset_in_mid_frame_costs_no_event(broker: RabbitMQ, database: PostgreSQL) -> None:
    seed = random.randrange(10**6)
    print(f"resets at seed {seed}")
    chance = random.Random(seed)
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        async with running(database.url, broker.url_through(proxy.port)) as bench:
            for number in range(1, 5):
                way = chance.choice((proxy.to_client, proxy.to_client, proxy.to_server))
                way.cut_after = chance.randrange(1, 8_000 if way is proxy.to_client else 60)
                await publish_on_each_lane(publisher)
                await bench.wait_for(number * ALL)
            # What was stored when its connection broke stands there again, until it is taken as known.
            await wait_until_stored(publisher.ledger, database_url=database.url, broker_url=broker.url)
        assert bench.count("broker_losses", lane="high") >= 1
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(7)
@pytest.mark.e2e
async def test_a_slow_network_costs_no_connection_and_no_delivery(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        async with running(database.url, broker.url_through(proxy.port)) as bench:
            for way in (proxy.to_client, proxy.to_server):
                way.delay_seconds, way.bytes_per_second = 1.0, 8 * 1024
            await publisher.publish_many(40, context={"padding": "x" * 900})
            await bench.wait_for(40, seconds=200)
        assert bench.count("broker_losses", lane="high") == 0
        assert bench.count("events_received", lane="high") == 40, "nothing was delivered twice"
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(8, 9)
@pytest.mark.e2e
@pytest.mark.parametrize(
    "alarm",
    [
        pytest.param(("set_vm_memory_high_watermark", "absolute", "1"), id="memory"),
        pytest.param(("set_disk_free_limit", "999GB"), id="disk"),
    ],
)
async def test_an_alarm_holds_no_consumer(
    alarm: tuple[str, ...], private_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(private_broker.url) as publisher:
        await publish_on_each_lane(publisher)
    async with held_worker(database.url, private_broker.url, batches=len(Lane)) as (standstill, bench):
        await private_broker.control(*alarm)
        await standstill.release()
        await bench.wait_for(ALL)
        assert bench.idle() == {}
    async with running(database.url, private_broker.url) as bench:
        assert bench.idle() == {}, "a worker that starts during the alarm receives too"
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=private_broker.url)
