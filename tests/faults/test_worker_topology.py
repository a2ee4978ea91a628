"""Queues and rights that are taken away from a running worker, and given back."""

import asyncio
from pathlib import Path
from typing import Final

import aio_pika
import pytest
from structlog.testing import capture_logs
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.bench import Bench, running
from tests.tools.factories import wire_event
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.proxy import proxy_to
from tests.tools.publisher import declare, publishing
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command
from tests.tools.worker_process import running as running_process

from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, DELIVERY_LIMIT, queue_of

pytestmark = pytest.mark.timeout(240)

SOME: Final = 20
MAY_READ: Final = "^faultwire\\.(critical|high|routine|dead)$"
HIGH: Final = queue_of(Lane.HIGH)


async def worker_url(broker: RabbitMQ) -> str:
    """A user with a worker's rights, who may declare nothing."""
    return await asyncio.to_thread(broker.add_user, read=MAY_READ)


async def delete_queue(broker: RabbitMQ, name: str) -> None:
    connection = await amqp.connect(broker.url, "test")
    channel = await connection.channel()
    await channel.queue_delete(name)
    await amqp.close(connection)


async def wait_for_trouble(bench: Bench, lane: str, text: str) -> None:
    async def is_told() -> bool:
        bench.check()
        return text in bench.idle().get(lane, "")

    await until(is_told, f"{lane} says {text!r}", seconds=60)


async def wait_for_attempts(bench: Bench, attempts: int) -> None:
    async def tried_on() -> bool:
        return all(
            one._outage.attempts >= attempts for one in bench.receivers if isinstance(one, AmqpReceiver)
        )

    await until(tried_on, f"{attempts} attempts", seconds=100)


@pytest.mark.line(11)
async def test_a_deleted_queue_is_told_unrouted_events_are_caught_and_a_new_one_is_consumed(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, running(database.url, await worker_url(broker)) as bench:
        await publisher.publish_many(SOME)
        await bench.wait_for(SOME)
        await delete_queue(broker, HIGH)
        await wait_for_trouble(bench, "high", "run `faultwire topology apply`")
        assert list(bench.idle()) == ["high"], "the other lanes go on"
        await publisher.publish_many(SOME, lane=Lane.HIGH)
        await bench.wait_for(2 * SOME)
        assert bench.count("events_received", lane="routine") == SOME, "unrouted events go there"
        await declare(broker.url)
        await until(bench.is_receiving, "every lane receives")
        await publisher.publish_many(SOME)
        await bench.wait_for(3 * SOME)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(11)
@pytest.mark.may_block("starts a worker's process")
async def test_readyz_and_health_tell_which_lane_has_no_consumer_and_what_mends_it(
    broker: RabbitMQ, database: PostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=database.url, broker_url=await worker_url(broker))
    async with running_process(worker):
        await delete_queue(broker, HIGH)

        async def is_red() -> bool:
            return (await worker.get("/readyz"))[0] == 503

        await until(is_red, "readiness is red")
        code, out, _ = await command("health", "--no-color", FAULTWIRE_URL=worker.url)
        assert code == 1
        (failed,) = [line for line in out.splitlines() if "fail" in line and "lane" in line]
        assert "lane high" in failed
        assert "faultwire.high has no consumer of this worker" in failed
        assert "faultwire topology apply" in failed
        assert (await worker.get("/livez"))[0] == 200, "a restart would mend nothing"
        await declare(broker.url)

        async def is_green() -> bool:
            return (await worker.get("/readyz"))[0] == 200

        await until(is_green, "readiness is green")


@pytest.mark.line(13)
async def test_a_changed_password_is_told_once_and_tried_on(broker: RabbitMQ, database: PostgreSQL) -> None:
    url = await worker_url(broker)
    password = url.partition("@")[0].rpartition(":")[2]
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        through = broker.url_through(proxy.port, url)
        async with running(database.url, through) as bench:
            with capture_logs() as lines:
                await broker.set_password(url, "another")
                proxy.reset()
                await publisher.publish_many(SOME)
                await wait_for_trouble(bench, "high", "wrong user name or password")
                await wait_for_attempts(bench, 6)
                assert len(bench.idle()) == len(bench.receivers)
                assert all(password not in why for why in bench.idle().values())
                await broker.set_password(url, password)
                await until(bench.is_receiving, "every lane receives again")
            await bench.wait_for(SOME)
    told = [(line["lane"], line["reason"]) for line in lines if line["event"] == "broker.lost"]
    assert len(told) == len(set(told)), "each lane tells each reason once"
    assert {reason for _, reason in told} <= {"lost", "refused"}
    assert password not in str(lines)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


@pytest.mark.line(13)
async def test_a_right_that_is_taken_away_is_told_and_comes_back(
    broker: RabbitMQ, database: PostgreSQL
) -> None:
    url = await worker_url(broker)
    async with publishing(broker.url) as publisher, proxy_to(broker.port) as proxy:
        through = broker.url_through(proxy.port, url)
        async with running(database.url, through) as bench:
            with capture_logs() as lines:
                await broker.set_rights(url)
                proxy.reset()
                await publisher.publish_many(SOME)
                await wait_for_trouble(bench, "high", "ACCESS_REFUSED")
                await wait_for_attempts(bench, 4)
                await broker.set_rights(url, read=MAY_READ)
                await until(bench.is_receiving, "every lane receives again")
            await bench.wait_for(SOME)
    told = [(line["lane"], line["reason"]) for line in lines if line["event"] == "broker.lost"]
    assert len(told) == len(set(told)), "each lane tells each reason once"
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=broker.url)


async def give_up(broker: RabbitMQ, event_id: str) -> None:
    """Take the one message out of the high lane again and again until the broker sets it aside."""
    connection = await amqp.connect(broker.url, "test")
    queue = await (await connection.channel()).get_queue(HIGH, ensure=False)
    for _ in range(DELIVERY_LIMIT + 1):
        taken = await queue.get(timeout=60)
        assert taken is not None
        assert event_id.encode() in taken.body
        await taken.reject(requeue=True)
    await amqp.close(connection)


@pytest.fixture
async def quick_broker(private_rabbitmq: PrivateRabbitMQ) -> PrivateRabbitMQ:
    """A node that offers a dead letter again after a second, instead of three minutes."""
    await private_rabbitmq.configure(dead_letter_worker_publisher_confirm_timeout=1_000)
    await declare(private_rabbitmq.url)
    return private_rabbitmq


async def wait_for_letter(bench: Bench, event_id: str) -> None:
    async def is_kept() -> bool:
        bench.check()
        return event_id in await bench.reader.dead_letter_ids()

    await until(is_kept, "the dead letter is in the table", seconds=90)


@pytest.mark.line(35)
@pytest.mark.e2e
async def test_a_dead_letter_waits_in_its_source_while_there_is_no_queue_for_it(
    quick_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    event = wire_event()
    async with publishing(quick_broker.url) as publisher:
        await delete_queue(quick_broker, DEAD)
        await publisher.publish(event)
        await give_up(quick_broker, event["id"])
        url = await worker_url(quick_broker)
        async with running(database.url, url, wait=False) as bench:
            await publisher.publish_many(SOME)
            await bench.wait_for(SOME)
            await wait_for_trouble(bench, "dead", "run `faultwire topology apply`")
            assert await bench.dead_letters() == 0
            await declare(quick_broker.url)
            await wait_for_letter(bench, event["id"])
    found = await assert_nothing_lost(
        publisher.ledger, database_url=database.url, broker_url=quick_broker.url
    )
    assert (found.stored, found.dead) == (SOME, 1)


@pytest.mark.line(35)
@pytest.mark.e2e
async def test_a_dead_letter_waits_in_its_source_while_their_queue_is_full(
    quick_broker: PrivateRabbitMQ, database: PostgreSQL
) -> None:
    event = wire_event()
    policy = ("set_policy", "-p", quick_broker.vhost, "tiny", f"^{DEAD}$", '{"max-length":1}')
    async with publishing(quick_broker.url) as publisher:
        await quick_broker.control(*policy, "--apply-to", "queues")
        await fill(quick_broker)
        await publisher.publish(event)
        await give_up(quick_broker, event["id"])
        url = await worker_url(quick_broker)
        await quick_broker.set_rights(url, read=MAY_READ.replace("|dead", ""))
        async with running(database.url, url, wait=False) as bench:
            await publisher.publish_many(SOME)
            await bench.wait_for(SOME)
            await wait_for_trouble(bench, "dead", "ACCESS_REFUSED")
            assert await bench.dead_letters() == 0
            await quick_broker.set_rights(url, read=MAY_READ)
            await wait_for_letter(bench, event["id"])
    found = await assert_nothing_lost(
        publisher.ledger, database_url=database.url, broker_url=quick_broker.url
    )
    assert (found.stored, found.dead) == (SOME, 1)


async def fill(broker: RabbitMQ) -> None:
    """Fill the dead letters' queue until it takes no more."""
    connection = await amqp.connect(broker.url, "test")
    channel = await connection.channel()
    message = aio_pika.Message(b"{}", delivery_mode=2)
    with pytest.raises(aio_pika.exceptions.DeliveryError):  # noqa: PT012 - a few more than its limit go in
        for _ in range(1_000):
            await channel.default_exchange.publish(message, DEAD)
    assert await ready_in(broker.url, DEAD) > 0
    await amqp.close(connection)
