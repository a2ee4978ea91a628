"""What aiormq logs of our connections does not reach a host's log; what it logs of the host's own does."""

import asyncio

import aiormq
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import AMQPConnectionError
from tests.servers.process import reserve_port
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.proxy import proxy_to
from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire_shared import amqp
from faultwire_shared.amqp import BrokerUnreachableError


def told(caplog: pytest.LogCaptureFixture, logger: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith(logger)]


@pytest.mark.line(13)
async def test_attempts_of_ours_that_fail_leave_no_line_of_aiormqs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"amqp://127.0.0.1:{reserve_port()}/"
    for _ in range(3):
        with pytest.raises(BrokerUnreachableError):
            await amqp.connect(url, "test")
    assert told(caplog, "aiormq") == []


@pytest.mark.line(13)
async def test_attempts_of_the_hosts_own_are_told_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    url = f"amqp://127.0.0.1:{reserve_port()}/"

    async def fails_at_the_host() -> None:
        with pytest.raises(AMQPConnectionError):
            await aiormq.connect(url)

    async def fails_at_ours() -> None:
        with pytest.raises(BrokerUnreachableError):
            await amqp.connect(url, "test")

    await asyncio.gather(fails_at_ours(), fails_at_the_host(), fails_at_ours())
    await fails_at_the_host()
    assert len(told(caplog, "aiormq")) == 2


@pytest.mark.line(13)
async def test_a_connection_of_ours_that_breaks_is_told_by_us_alone(
    rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxy_to(rabbitmq.port) as proxy:
        path = rabbitmq.url.replace(str(rabbitmq.port), str(proxy.port))
        ours = await amqp.connect(path, "test")
        theirs = await aiormq.connect(path)
        proxy.reset()

        async def both_know() -> bool:
            return theirs.is_closed and ours.transport is not None and ours.transport.connection.is_closed

        await until(both_know, "both know of the reset")
    assert ["reader exited" in line for line in told(caplog, "aiormq")] == [True]


@pytest.mark.line(13)
async def test_a_client_tells_of_an_outage_in_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []
    connect = amqp.connect

    async def counted(url: str, name: str) -> AbstractConnection:
        attempts.append(name)
        return await connect(url, name)

    async def has_tried_often() -> bool:
        return len(attempts) >= 4

    monkeypatch.setattr(amqp, "connect", counted)
    url = f"amqp://127.0.0.1:{reserve_port()}/"
    async with ErrorManager(service="billing", broker_url=url, shutdown_timeout=0.1) as errors:
        errors.handle_error_nowait(ValueError("kept"))
        await until(has_tried_often, "four attempts")
    assert sum("transport.lost" in line for line in told(caplog, "")) == 1
    assert told(caplog, "aiormq") == told(caplog, "aio_pika") == []
