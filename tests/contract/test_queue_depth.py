"""How many messages wait at the broker is asked of a real RabbitMQ."""

import math

import aio_pika
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.waiting import until

from faultwire_consumer.ingest.receive.queue_depth import QueueDepthWatch
from faultwire_consumer.metrics import Metrics
from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, EVENTS, queue_of

QUEUES = {lane.value: queue_of(lane) for lane in Lane} | {"dead": DEAD}


def ready(metrics: Metrics, lane: str) -> float:
    found = metrics.registry.get_sample_value("faultwire_lane_ready_messages", {"lane": lane})
    assert found is not None
    return found


async def test_waiting_messages_are_shown_by_lane(broker: RabbitMQ) -> None:
    metrics = Metrics()
    watch = QueueDepthWatch(broker.url, QUEUES, metrics=metrics)
    assert math.isnan(ready(metrics, "high")), "nobody knows before the first answer"
    connection = await amqp.connect(broker.url, "test")
    channel = await connection.channel()
    exchange = await channel.get_exchange(EVENTS, ensure=False)
    for _ in range(3):
        await exchange.publish(aio_pika.Message(b"{}", delivery_mode=2), "event.high.system.test")

    async def are_counted() -> bool:
        await watch.look()
        return ready(metrics, "high") == 3

    await until(are_counted, "three messages wait")
    assert [ready(metrics, lane) for lane in ("critical", "routine", "dead")] == [0, 0, 0]
    metrics.lanes.show_lag(in_hand=0)
    assert (metrics.registry.get_sample_value("faultwire_lag_seconds") or 0) > 0
    await watch._close()
    await amqp.close(connection)


async def test_a_broker_that_does_not_answer_leaves_nothing_known(rabbitmq: RabbitMQ) -> None:
    metrics = Metrics()
    watch = QueueDepthWatch(rabbitmq.url, QUEUES, metrics=metrics)  # without the topology
    await watch.look()
    assert math.isnan(ready(metrics, "high"))
    away = QueueDepthWatch("amqp://nobody@127.0.0.1:1/", QUEUES, metrics=metrics)
    await away.look()
    assert math.isnan(ready(metrics, "dead"))
