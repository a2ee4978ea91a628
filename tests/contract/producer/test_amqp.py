"""The client against a real RabbitMQ that confirms, refuses, freezes, dies and comes back."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aio_pika.abc import DeliveryMode
from opentelemetry.sdk.trace import TracerProvider
from tests.contract.producer.queue_reader import take_all
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.publisher import declare

from faultwire import ErrorManager, ErrorSeverity
from faultwire.publish import transport_amqp
from faultwire.publish.transport import Busy, Outgoing, Refused, TransportDown
from faultwire.publish.transport_amqp import AmqpTransport
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_shared import amqp, codec
from faultwire_shared.event import MESSAGE_BYTES, Lane

KEY = "event.high.system.billing"


def event_message(event_id: str = "error_20261123_aaaaaaaaaaaaaaaa") -> Outgoing:
    body = b'{"id":"%s"}' % event_id.encode()
    return Outgoing(body=body, message_type=codec.EVENT_TYPE, routing_key=KEY, event_id=event_id)


async def test_a_confirmed_event_lies_in_its_lanes_queue_under_its_own_id(broker: RabbitMQ) -> None:
    async with ErrorManager(service="billing.eu", broker_url=broker.url) as errors:
        response = await errors.handle_error(OSError(28, "full"), "critical", durability="confirmed")
    (message,) = await take_all(broker.url, Lane.CRITICAL, messages=1)
    assert response.state.state == "confirmed"
    assert codec.decode(message.body).id == response.error_id
    assert message.headers["faultwire-event-id"] == response.error_id
    assert message.routing_key == "event.critical.system.billing_eu"
    assert message.type == "faultwire.event.v1"
    assert message.content_type == "application/json"
    assert message.app_id == "billing.eu"
    assert message.delivery_mode == DeliveryMode.PERSISTENT
    assert message.message_id not in (None, response.error_id)


async def test_a_message_names_the_span_of_its_event_also_when_another_process_takes_it_from_the_disk(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    make = partial(ErrorManager, service="billing", broker_url=rabbitmq.url, spool_path=tmp_path / "spool")
    tracer, parents = TracerProvider().get_tracer("test"), []

    async def handle(errors: ErrorManager) -> None:
        with tracer.start_as_current_span("pay") as span:
            found = span.get_span_context()
            parents.append(f"00-{found.trace_id:032x}-{found.span_id:016x}")
            await errors.handle_error(ValueError("x"), durability="spooled")

    async with make(shutdown_timeout=0.5) as errors:
        await handle(errors)
    await declare(rabbitmq.url)
    async with make() as errors:
        assert await errors.flush(60)
        await handle(errors)
        assert await errors.flush(60)
    messages = await take_all(rabbitmq.url, Lane.HIGH, messages=2)
    told = {str(message.headers["traceparent"]) for message in messages}
    assert {one.rpartition("-")[0] for one in told} == set(parents)
    assert f"{parents[0]}-00" in told, "the disk keeps the ids alone"


async def test_what_piles_up_travels_as_batches_of_one_lane(broker: RabbitMQ) -> None:
    async with ErrorManager(collapse_storms=False, service="billing", broker_url=broker.url) as errors:
        ids = [errors.handle_error_nowait(ValueError("x"), "low").error_id for _ in range(119)]
        ids.append(errors.handle_error_nowait(ValueError("x"), "medium").error_id)
        assert await errors.flush(60)
    messages = await take_all(broker.url, Lane.ROUTINE, messages=3)
    assert [message.type for message in messages] == ["faultwire.batch.v1"] * 3
    assert [message.routing_key for message in messages] == [
        "event.low.system.billing",
        "event.low.system.billing",
        "event.medium.system.billing",
    ]
    raw = [each for message in messages for each in codec.split(message.body, message.type)]
    assert [codec.decode(each).id for each in raw] == ids


async def test_events_wait_for_a_topology_that_is_declared_later(rabbitmq: RabbitMQ) -> None:
    async with ErrorManager(service="billing", broker_url=rabbitmq.url) as errors:
        errors.handle_error_nowait(ValueError("early"))
        await declare(rabbitmq.url)
        await _until(lambda: errors.stats().confirmed == 1)


async def test_a_producer_needs_no_right_but_to_write_to_the_exchange(broker: RabbitMQ) -> None:
    url = await asyncio.to_thread(broker.add_user, write="^faultwire\\.events$")
    async with ErrorManager(service="billing", broker_url=url) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
    assert response.state.state == "confirmed"


async def test_behind_a_wrong_password_events_go_to_disk_and_without_one_they_are_counted_at_the_end(
    broker: RabbitMQ,
) -> None:
    url = broker.url_of("nobody", "wrong")
    async with ErrorManager(service="billing", broker_url=url, confirm_timeout=0.2) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "spooled"
    assert errors.stats().lost == {}
    async with ErrorManager(
        service="billing", broker_url=url, spool_path="", confirm_timeout=0.2, shutdown_timeout=0.5
    ) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "buffered"
    assert errors.stats().lost == {"shutdown": 1}
    assert (await response.delivered()).reason == "shutdown"


async def test_a_frozen_broker_holds_neither_the_caller_nor_the_end(private_broker: PrivateRabbitMQ) -> None:
    loop = asyncio.get_running_loop()
    async with ErrorManager(service="billing", broker_url=private_broker.url) as errors:
        await errors.handle_error(ValueError("before"), durability="confirmed")
        private_broker.pause()
        response = await errors.handle_error(ValueError("during"))
        started = loop.time()
    took = loop.time() - started
    private_broker.resume()
    assert took < 2 * amqp.HEARTBEAT_SECONDS  # the soonest that anybody could have noticed the freeze
    assert response.state.state == "spooled"


async def test_after_a_freeze_everything_arrives(private_broker: PrivateRabbitMQ) -> None:
    async with ErrorManager(service="billing", broker_url=private_broker.url) as errors:
        await errors.handle_error(ValueError("before"), durability="confirmed")
        private_broker.pause()
        response = errors.handle_error_nowait(ValueError("during"))
        assert (await response.delivered(60)).state == "spooled"
        private_broker.resume()
        await _until(lambda: errors.stats().confirmed == 2)
        assert response.state.state == "confirmed"


@pytest.mark.e2e
async def test_an_alarm_at_the_broker_is_waited_out(private_broker: PrivateRabbitMQ) -> None:
    transport = AmqpTransport(private_broker.url, app_id="billing")
    await transport.open()
    watching = asyncio.create_task(transport.watch())
    await private_broker.control("set_vm_memory_high_watermark", "absolute", "1")
    with pytest.raises((Busy, TransportDown)):
        await transport.publish(event_message())
    await _until(lambda: transport.is_blocked)
    with pytest.raises(Busy):
        await transport.publish(event_message())
    await private_broker.control("set_vm_memory_high_watermark", "absolute", "4GB")
    await _until(lambda: not transport.is_blocked)
    await transport.publish(event_message())
    watching.cancel()
    await transport.aclose()


async def test_a_full_queue_means_later_and_the_connection_stays(private_broker: PrivateRabbitMQ) -> None:
    policy = ("set_policy", "-p", private_broker.vhost, "tiny", "^faultwire.high$", '{"max-length":1}')
    await private_broker.control(*policy, "--apply-to", "queues")
    transport = AmqpTransport(private_broker.url, app_id="billing")
    await transport.open()
    with pytest.raises(Busy, match="full"):  # noqa: PT012 - which of them is refused is the broker's choice
        for _ in range(1_000):  # a quorum queue lets a few more in than its limit
            await transport.publish(event_message())
    await take_all(private_broker.url, Lane.HIGH, messages=1)
    assert transport.is_open
    await transport.aclose()


async def test_a_queue_that_refuses_for_long_is_asked_through_new_channels_of_the_same_connection(
    private_broker: PrivateRabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = ("set_policy", "-p", private_broker.vhost, "tiny", "^faultwire.high$", '{"max-length":1}')
    await private_broker.control(*policy, "--apply-to", "queues")
    monkeypatch.setattr(transport_amqp, "RENEW_SECONDS", 0.0)
    transport = AmqpTransport(private_broker.url, app_id="billing")
    await transport.open()
    connection, used = transport._connection, {id(transport._channel): transport._channel}
    refused = 0
    while refused < 5:
        try:
            await transport.publish(event_message())
        except Busy:
            refused += 1
        used[id(transport._channel)] = transport._channel
    assert len(used) == 6
    assert [one is not None and one.is_closed for one in used.values()] == [True] * 4 + [False] * 2
    assert transport._connection is connection
    await transport.publish(
        Outgoing(body=b"{}", message_type=codec.EVENT_TYPE, routing_key="event.low.system.billing")
    )
    await transport.aclose()


async def test_a_message_beyond_the_limit_is_refused_and_the_connection_stays(broker: RabbitMQ) -> None:
    transport = AmqpTransport(broker.url, app_id="billing")
    await transport.open()
    large = Outgoing(body=b"x" * (MESSAGE_BYTES + 1), message_type=codec.EVENT_TYPE, routing_key=KEY)
    with pytest.raises(Refused):
        await transport.publish(large)
    with pytest.raises(Refused):
        await transport.publish(
            Outgoing(body=b"{}", message_type="\ud800", routing_key=KEY, event_id="a" * 40)
        )
    await transport.publish(event_message())
    await transport.aclose()


async def test_watching_ends_when_the_connection_breaks(private_broker: PrivateRabbitMQ) -> None:
    transport = AmqpTransport(private_broker.url, app_id="billing")
    await transport.open()
    private_broker.kill()
    await asyncio.wait_for(transport.watch(), 10)
    with pytest.raises(TransportDown):
        await transport.publish(event_message())
    await transport.aclose()


async def test_the_intakes_door_publishes_and_opens_itself_again(private_broker: PrivateRabbitMQ) -> None:
    door = BrokerDoor(private_broker.url, app_id="intake")
    arguments: dict[str, Any] = {"message_type": codec.EVENT_TYPE, "routing_key": KEY}
    await door.publish(b'{"n":1}', **arguments)
    private_broker.kill()
    with pytest.raises(TransportDown):
        await door.publish(b'{"n":2}', **arguments)
    await private_broker.start()
    async with asyncio.timeout(60):
        while True:
            try:
                await door.publish(b'{"n":3}', **arguments)
                break
            except TransportDown:
                await asyncio.sleep(0.1)
    await door.aclose()
    messages = await take_all(private_broker.url, Lane.HIGH, messages=2)
    assert [message.body for message in messages] == [b'{"n":1}', b'{"n":3}']


async def test_severity_decides_the_lane(broker: RabbitMQ) -> None:
    async with ErrorManager(service="billing", broker_url=broker.url) as errors:
        for severity in ErrorSeverity:
            errors.handle_error_nowait(ValueError("x"), severity)
    for lane, count in ((Lane.CRITICAL, 1), (Lane.HIGH, 1), (Lane.ROUTINE, 1)):
        messages = await take_all(broker.url, lane, messages=count)
        assert {codec.decode(raw).severity.lane for raw in codec.split(messages[0].body, None)} == {lane}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition belongs to code that sets no event
            await asyncio.sleep(0.05)
