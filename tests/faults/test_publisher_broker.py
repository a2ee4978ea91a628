"""The client before a RabbitMQ that dies, freezes, blocks, is full, or was changed by its administrator."""

import asyncio
import logging
from pathlib import Path

import aio_pika
import pytest
from tests.faults.far_side import store_all, through
from tests.faults.host import Host, hosting, said
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.proxy import Proxy, proxy_to
from tests.tools.publisher import declare
from tests.tools.waiting import until

from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, EVENTS, queue_of

pytestmark = [
    pytest.mark.may_block("the host looks into its spool's directory, and servers are asked by their tools"),
    pytest.mark.timeout(240),
]

SOME = 70
"""Events: more than one batch."""
PRODUCER = "^faultwire\\.events$"

Log = pytest.LogCaptureFixture


async def assert_stored_once(broker: RabbitMQ, host: Host, home: Path) -> None:
    """Let a worker store what the broker holds, and ask the oracle."""
    database_url = f"sqlite:///{home / 'faultwire.db'}"
    await store_all(broker, database_url, events=len(host.responses))
    await assert_nothing_lost(host.ledger, database_url=database_url, broker_url=broker.url)


async def lost_the_broker(log: Log) -> None:
    """Wait until the client says that it cannot publish."""

    async def told() -> bool:
        return bool(said(log, "transport.lost"))

    await until(told, "transport.lost is logged")


@pytest.mark.line(1)
async def test_a_broker_killed_in_mid_confirm_costs_no_event(
    private_broker: PrivateRabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(private_broker.url, tmp_path, caplog) as host:
        for turn in range(12):
            for severity in ("critical", "high", "low"):
                host.report(SOME, severity)
            await asyncio.sleep(0.01)
            if turn == 6:
                private_broker.kill()
        await host.is_accepted()
        assert host.spooled
        await private_broker.start()
    await assert_stored_once(private_broker, host, tmp_path)


@pytest.mark.line(2)
@pytest.mark.e2e
async def test_a_broker_that_is_restarted_gracefully_costs_no_event(
    private_broker: PrivateRabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(private_broker.url, tmp_path, caplog) as host:
        host.report(SOME)
        await host.is_confirmed()
        stopping = asyncio.create_task(private_broker.shut_down())
        while not stopping.done():
            host.report(5)
            await asyncio.sleep(0.05)
        await stopping
        await host.is_accepted()
        await private_broker.start()
    await assert_stored_once(private_broker, host, tmp_path)


@pytest.mark.line(3)
@pytest.mark.e2e
async def test_a_broker_frozen_until_the_connection_is_given_up_costs_no_event(
    private_broker: PrivateRabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(private_broker.url, tmp_path, caplog) as host:
        host.report(SOME)
        await host.is_confirmed()
        private_broker.pause()
        host.report(SOME, "critical")
        await host.is_accepted()
        assert host.spooled == SOME
        await lost_the_broker(caplog)
        host.report(SOME, "low")
        await host.is_accepted()
        private_broker.resume()
    await assert_stored_once(private_broker, host, tmp_path)


@pytest.mark.line(8, 9)
@pytest.mark.e2e
@pytest.mark.parametrize(
    ("raise_alarm", "end_alarm"),
    [
        ("set_vm_memory_high_watermark absolute 1", "set_vm_memory_high_watermark absolute 4GB"),
        ("set_disk_free_limit 999GB", "set_disk_free_limit 1MB"),
    ],
    ids=["memory", "disk"],
)
async def test_a_memory_or_disk_alarm_costs_no_event(
    private_broker: PrivateRabbitMQ, tmp_path: Path, caplog: Log, *, raise_alarm: str, end_alarm: str
) -> None:
    async with hosting(private_broker.url, tmp_path, caplog) as host:
        host.report(SOME)
        await host.is_confirmed()
        await private_broker.control(*raise_alarm.split())

        async def is_blocked() -> bool:
            host.report(1)  # the broker says that it blocks only to those who publish
            return any("blocks publishers" in text for text in said(caplog, "transport.lost"))

        await until(is_blocked, "the alarm is noticed")
        host.report(SOME, "critical")
        await host.is_accepted()
        assert host.spooled >= SOME
        await private_broker.control(*end_alarm.split())
    await assert_stored_once(private_broker, host, tmp_path)


@pytest.mark.line(10)
async def test_a_full_queue_costs_no_event_and_holds_no_other_lane(
    broker: RabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    broker.limit(queue_of(Lane.HIGH), 1)
    async with hosting(broker.url, tmp_path, caplog) as host:

        async def is_full() -> bool:
            host.report(SOME)
            return any("queue is full" in text for text in said(caplog, "transport.lost"))

        await until(is_full, "the broker refuses what is too much")
        await host.is_accepted()
        assert host.spooled
        host.report(1, "critical")  # another lane's queue has room
        await host.responses[-1].delivered(60)
        assert await ready_in(broker.url, queue_of(Lane.CRITICAL)) == 1
        await assert_stored_once(broker, host, tmp_path)
        await host.is_confirmed()


@pytest.mark.line(11)
async def test_a_deleted_queue_costs_no_event(broker: RabbitMQ, tmp_path: Path, caplog: Log) -> None:
    async with hosting(broker.url, tmp_path, caplog) as host:
        host.report(SOME, "low")
        await host.is_confirmed()
        await delete(broker, queue_of(Lane.CRITICAL))
        host.report(SOME, "critical")
        await host.is_confirmed()
        assert await ready_in(broker.url, queue_of(Lane.ROUTINE), DEAD) >= 2
        await delete(broker, queue_of(Lane.HIGH))
        host.report(SOME, "high")
        await host.is_confirmed()
        await declare(broker.url)
    await assert_stored_once(broker, host, tmp_path)


@pytest.mark.line(11)
async def test_with_every_queue_deleted_events_wait_on_disk(
    broker: RabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(broker.url, tmp_path, caplog) as host:
        await delete(broker, *(queue_of(lane) for lane in Lane))
        for severity in ("critical", "high", "low"):
            host.report(SOME, severity)
        await host.is_accepted()
        assert host.spooled == 3 * SOME
        await declare(broker.url)
    await assert_stored_once(broker, host, tmp_path)


@pytest.mark.line(12)
async def test_with_the_exchange_deleted_events_wait_on_disk(
    broker: RabbitMQ, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(broker.url, tmp_path, caplog) as host:
        host.report(SOME)
        await host.is_confirmed()
        await delete(broker, exchange=EVENTS)
        for severity in ("critical", "high", "low"):
            host.report(SOME, severity)
        await host.is_accepted()
        assert host.spooled == 3 * SOME
        await lost_the_broker(caplog)
        await declare(broker.url)
    await assert_stored_once(broker, host, tmp_path)


@pytest.mark.line(13)
async def test_a_revoked_permission_costs_no_event(broker: RabbitMQ, tmp_path: Path, caplog: Log) -> None:
    url = broker.add_user(write=PRODUCER)
    async with (
        proxy_to(broker.port) as proxy,
        hosting(through(url, proxy), tmp_path, caplog) as host,
    ):
        host.report(SOME)
        await host.is_confirmed()
        await broker.set_rights(url, write="^$")
        proxy.reset()  # a channel that stands goes by what it was told before
        host.report(SOME)
        await host.is_accepted()
        await lost_the_broker(caplog)
        await several_attempts(proxy)
        await broker.set_rights(url, write=PRODUCER)
    assert len(complaints(caplog)) == 1
    await assert_stored_once(broker, host, tmp_path)


@pytest.mark.line(13)
async def test_a_changed_password_costs_no_event(broker: RabbitMQ, tmp_path: Path, caplog: Log) -> None:
    url = broker.add_user(write=PRODUCER)
    password = url.split(":")[2].split("@")[0]
    await broker.set_password(url, "another")
    async with (
        proxy_to(broker.port) as proxy,
        hosting(through(url, proxy), tmp_path, caplog) as host,
    ):
        host.report(SOME)
        await host.is_accepted()
        assert host.spooled == SOME
        await lost_the_broker(caplog)
        await several_attempts(proxy)
        await broker.set_password(url, password)
    assert len(complaints(caplog)) == 1
    assert "wrong user name or password" in complaints(caplog)[0]
    assert password not in caplog.text
    await assert_stored_once(broker, host, tmp_path)


async def several_attempts(proxy: Proxy) -> None:
    """Let the client try in vain a few times more."""
    before = proxy.attempts

    async def tried() -> bool:
        return proxy.attempts >= before + 3

    await until(tried, "three more attempts")


def complaints(log: Log) -> list[str]:
    """What the client says of it, but for the host's own errors."""
    return [
        record.getMessage()
        for record in log.records
        if record.name == "faultwire"
        and record.levelno >= logging.WARNING
        and getattr(record, "event", "") != "error.handled"
    ]


async def delete(broker: RabbitMQ, *queues: str, exchange: str | None = None) -> None:
    """As an administrator would, by mistake."""
    connection = await aio_pika.connect(broker.url)
    async with connection:
        channel = await connection.channel()
        for queue in queues:
            await channel.queue_delete(queue)
        if exchange is not None:
            await channel.exchange_delete(exchange)
