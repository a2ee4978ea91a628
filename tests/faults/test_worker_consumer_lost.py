"""The consumer, its channel or its tags are no longer valid; nothing is acked that was not stored."""

import asyncio
import time
from typing import Final

import pytest
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import AMQPError
from tests.faults.standstill import held_worker
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.bench import RETURNED_ONCE, Bench, receiver_of, running
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.proxy import proxy_to
from tests.tools.publisher import publishing
from tests.tools.waiting import until

from faultwire_consumer.domain.outcome import Outcome, Stored
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.receive import amqp as receiver_amqp
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.consumers import Consumers
from faultwire_consumer.ingest.receive.settlement import Generation, settle
from faultwire_consumer.metrics import Metrics
from faultwire_shared import amqp
from faultwire_shared.event import Lane

SOME: Final = 30
RENEWALS: Final = 10

pytestmark = pytest.mark.timeout(240)


def generation_of(bench: Bench, lane: Lane) -> Generation:
    consumers = receiver_of(bench, lane)._consumers
    assert consumers is not None
    return consumers.generation


async def wait_for_loss(bench: Bench, *, losses: int = 1) -> None:
    async def is_lost() -> bool:
        return bench.count("broker_losses", lane="high") >= losses

    await until(is_lost, "the lane knows that its consumer is gone", seconds=60)


async def collect(receiver: AmqpReceiver, deliveries: int) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(60):
        while len(taken) < deliveries:
            taken += await receiver.collect(size=500, linger=0)
    return taken


async def test_channels_are_renewed_between_deliveries_and_nothing_comes_twice(
    broker: RabbitMQ, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_amqp, "RENEW_SECONDS", 0.01)
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        receiver = receiver_of(bench, Lane.HIGH)
        for _ in range(RENEWALS):
            before = receiver._consumers

            async def is_renewed(before: Consumers | None = before) -> bool:
                assert await bench.is_receiving()
                return receiver._consumers is not before

            await publisher.publish_many(SOME)
            await until(is_renewed, "the lane has another channel")
        await bench.wait_for(RENEWALS * SOME)
        assert bench.most_attempts <= RETURNED_ONCE
        assert bench.count("broker_losses", lane="high") == 0
    assert bench.count("events_duplicate") == 0
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


async def test_what_the_broker_gave_away_without_its_coming_here_comes_by_the_next_channel(
    broker: RabbitMQ, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_amqp, "RENEW_SECONDS", 3)
    come = AmqpReceiver._on_message
    unseen: list[DeliveredMessage] = []

    async def miss_the_first(self: AmqpReceiver, consumers: Consumers, message: DeliveredMessage) -> None:
        if unseen:
            await come(self, consumers, message)
        else:
            unseen.append(message)

    monkeypatch.setattr(AmqpReceiver, "_on_message", miss_the_first)
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        await publisher.publish_many(SOME)
        await bench.wait_for(SOME)
        assert bench.count("broker_losses", lane="high") == 0
    assert unseen
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(6)
async def test_an_ack_that_comes_after_its_connection_acks_nothing_of_the_next(
    broker: RabbitMQ,
) -> None:
    metrics = Metrics()
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        await publisher.publish_many(SOME)
        receiver = AmqpReceiver(Lane.HIGH, broker.url_through(proxy.port), metrics=metrics)
        run = asyncio.create_task(receiver.run())
        before = await collect(receiver, SOME)
        proxy.reset()
        after = await collect(receiver, SOME)
        tags = [[one.handle.tag for one in batch] for batch in (before, after)]
        assert tags[0] == tags[1] == list(range(1, SOME + 1)), "the same tags mean something else by now"
        stored: list[list[Outcome]] = [[Stored("x")] for _ in before]
        await settle(before, stored, metrics=metrics)
        assert receiver.receiving, "nor does it harm the channel that is open"
        await receiver.stop()
        await receiver.close()
        await run
    assert await ready_in(broker.url) == SOME


@pytest.mark.line(14)
async def test_an_ack_of_an_unknown_tag_costs_the_channel_and_no_event(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(SOME)
        async with held_worker(database.url, broker.url) as (standstill, bench):
            generation = generation_of(bench, Lane.HIGH)
            await generation.channel.basic_ack(4711)
            await wait_for_loss(bench)
            await standstill.release()
            assert "PRECONDITION_FAILED" in generation.why_ended
            await publisher.publish_many(SOME)
            await bench.wait_for(2 * SOME)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(14)
async def test_a_channel_that_closes_in_mid_batch_ends_in_redelivery(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(SOME)
        async with held_worker(database.url, broker.url) as (standstill, bench):
            generation = generation_of(bench, Lane.HIGH)
            with pytest.raises(AMQPError):
                await generation.channel.queue_declare("faultwire.nowhere", passive=True)
            await wait_for_loss(bench)
            await standstill.release()
            await bench.wait_for(SOME)

            async def came_again() -> bool:
                return bench.count("events_duplicate") > 0

            await until(came_again, "what could not be acked came again and was known")
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(14)
async def test_a_consumer_that_the_broker_cancels_is_noticed_and_consumes_anew(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, running(database.url, broker.url) as bench:
        await delete_queue(broker.url, "faultwire.high")
        await wait_for_loss(bench)
        await until(bench.is_receiving, "the worker declared the queue again and consumes it")
        await publisher.publish_many(SOME)
        await bench.wait_for(SOME)
        assert bench.count("broker_losses", lane="critical") == 0, "other lanes went on"
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(14)
@pytest.mark.e2e
async def test_a_batch_that_outlasts_the_consumer_timeout_is_not_counted_twice(
    private_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    await private_broker.configure(consumer_timeout=1_000, channel_tick_interval=200)
    async with publishing(private_broker.url) as publisher:
        await publisher.publish_many(SOME)
        async with held_worker(database.url, private_broker.url) as (standstill, bench):
            await wait_for_loss(bench)
            await standstill.release()
            await bench.wait_for(SOME)
            await publisher.publish_many(SOME)
            await bench.wait_for(2 * SOME)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=private_broker.url)


@pytest.mark.line(44)
@pytest.mark.e2e
@pytest.mark.may_block("that is what it is about")
async def test_a_loop_that_is_blocked_beyond_the_heartbeat_costs_no_event(
    broker: RabbitMQ, database: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "HEARTBEAT_SECONDS", 1)  # 25 s of the usual ten, in a fifth of the time
    async with publishing(broker.url) as publisher:
        await publisher.publish_many(SOME)
        async with held_worker(database.url, broker.url) as (standstill, bench):
            time.sleep(5)  # noqa: ASYNC251 - the fault
            await standstill.release()
            await wait_for_loss(bench)
            await bench.wait_for(SOME)
        async with publishing(broker.url) as after, running(database.url, broker.url) as bench:
            await after.publish_many(SOME)
            await bench.wait_for(2 * SOME)
    ledger = publisher.ledger + after.ledger
    await assert_nothing_lost(ledger, database_url=database.url, broker_url=broker.url)


async def delete_queue(broker_url: str, name: str) -> None:
    connection = await amqp.connect(broker_url, "test")
    channel = await connection.channel()
    await channel.queue_delete(name)
    await amqp.close(connection)
