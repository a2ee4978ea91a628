"""The bounds of a sender on their way through a real RabbitMQ."""

import asyncio

from tests.servers.rabbitmq import RabbitMQ

from faultwire_consumer.domain.access.allowance import Allowance
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.sender import headers_of
from faultwire_consumer.metrics import Metrics
from faultwire_shared import amqp
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Lane

KEY = "event.high.system.shop_eu"


async def test_a_worker_in_front_of_a_broker_passes_a_sender_s_bounds_on(rabbitmq: RabbitMQ) -> None:
    connection = await amqp.connect(rabbitmq.url, "test")
    await amqp.declare(connection)
    await amqp.close(connection)
    door = BrokerDoor(rabbitmq.url, app_id="intake")
    bounds = Allowance(sender="token:shop", services=("shop.*",))
    for allowance in (bounds, None):
        headers = headers_of(allowance)
        await door.publish(b"{}", message_type=EVENT_TYPE, routing_key=KEY, event_id="e1", headers=headers)
    await door.aclose()
    for checks_key, key in ((False, None), (True, KEY)):
        receiver = AmqpReceiver(Lane.HIGH, rabbitmq.url, metrics=Metrics(), checks_key=checks_key)
        running = asyncio.create_task(receiver.run())
        found: list[Allowance | None] = []
        async with asyncio.timeout(60):
            while len(found) < 2:
                found += [one.allowance for one in await receiver.collect(size=2, linger=0)]
        # What the receiver before gave back may come in another order.
        found.sort(key=lambda one: one is None or not one.sender)
        assert found == [
            Allowance(sender="token:shop", services=("shop.*",), routing_key=key),
            Allowance(routing_key=key) if checks_key else None,
        ]
        await receiver.stop()
        await receiver.close()
        await asyncio.wait_for(running, 20)
