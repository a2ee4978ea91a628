"""The way of messages that the process itself makes of foreign requests: to the broker, or into its lanes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from faultwire.publish.transport import Busy, Outgoing
from faultwire_consumer.domain.outcome import Outcome, must_return
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.http import ORIGIN, IntakeReceiver, lane_of
from faultwire_consumer.ingest.receive.settlement import IntakeHandle

OwnWay = Callable[[Outgoing], Awaitable[None]]


def way_to_broker(door: BrokerDoor) -> OwnWay:
    """Return what publishes a message and waits for its confirm; it raises as `BrokerDoor.publish` does."""

    async def publish(message: Outgoing) -> None:
        await door.publish(
            message.body,
            message_type=message.message_type,
            routing_key=message.routing_key,
            event_id=message.event_id,
            headers=message.headers,
        )

    return publish


def way_into_lanes(receivers: Sequence[IntakeReceiver]) -> OwnWay:
    """Return what puts a message into its lane and waits for the commit; it raises `Busy` if none comes."""
    lanes = {receiver.lane: receiver for receiver in receivers}

    async def store(message: Outgoing) -> None:
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        handle = IntakeHandle(answer)
        delivery = read_delivery(message.body, message.message_type, origin=ORIGIN, handle=handle)
        if must_return(await lanes[lane_of(delivery)].ingest(delivery)):
            raise Busy("the store takes nothing now")

    return store
