"""A broker's port that answers and hangs up, as a proxy's does while the broker behind it is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pamqp.exceptions
import pamqp.frame
import pamqp.header
import pytest
from pamqp.commands import Connection
from tests.tools.waiting import until

from faultwire.publish.transport import TransportDown
from faultwire_consumer.cli.topology import apply_topology
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.metrics import Metrics
from faultwire_shared.amqp import BrokerUnreachableError
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Lane

START: Final = Connection.Start(
    version_major=0,
    version_minor=9,
    server_properties={"product": "RabbitMQ", "capabilities": {"publisher_confirms": True}},
    mechanisms="PLAIN",
    locales="en_US",
)
BARE: Final = Connection.Start(
    version_major=0, version_minor=9, server_properties={}, mechanisms="PLAIN", locales="en_US"
)
TUNE: Final = Connection.Tune(channel_max=2047, frame_max=131072, heartbeat=60)
ANSWERS: Final = {
    "as it accepts": (),
    "once the connection is open": (START, TUNE, Connection.OpenOk()),
    "and can do nothing that a broker can": (BARE, TUNE, Connection.OpenOk()),
    "in the middle": (START, TUNE),
    "with nonsense": (TUNE,),
}


ASKED: Final = (pamqp.header.ProtocolHeader, Connection.StartOk, Connection.Open)
"""The frames of a client that these answer, in their order."""


class Far:
    """What the other side has seen."""

    url = ""
    accepted = 0


class Said:
    """The frames of a client, one by one: TuneOk and Open may come in one piece, or in two."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._bytes = b""

    async def has(self, kind: type) -> bool:
        """Read until such a frame came; False if the client is gone before."""
        while True:
            while self._bytes:
                try:
                    size, _, frame = pamqp.frame.unmarshal(self._bytes)
                except pamqp.exceptions.UnmarshalingException:
                    break
                self._bytes = self._bytes[size:]
                if isinstance(frame, kind):
                    return True
            piece = await self._reader.read(4096)
            if not piece:
                return False
            self._bytes += piece


@asynccontextmanager
async def hanging_up(
    answers: tuple[Connection.Start | Connection.Tune | Connection.OpenOk, ...],
) -> AsyncIterator[Far]:
    far = Far()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far.accepted += 1
        said = Said(reader)
        for answer, asked in zip(answers, ASKED, strict=False):
            if not await said.has(asked):
                break
            writer.write(pamqp.frame.marshal(answer, 0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    far.url = f"amqp://guest:guest@127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield far
    server.close()


@pytest.mark.parametrize("when", ANSWERS)
async def test_a_lane_goes_on_connecting_and_every_caller_is_told_unreachable(when: str) -> None:
    async with hanging_up(ANSWERS[when]) as far:
        with pytest.raises(BrokerUnreachableError):
            await apply_topology(far.url)
        door = BrokerDoor(far.url, app_id="test")
        with pytest.raises(TransportDown):
            await door.publish(b"{}", message_type=EVENT_TYPE, routing_key="event.low.system.x")
        await door.aclose()
        before = far.accepted
        receiver = AmqpReceiver(Lane.HIGH, far.url, metrics=Metrics())
        running = asyncio.create_task(receiver.run())

        async def has_tried_again() -> bool:
            return running.done() or far.accepted >= before + 3

        await until(has_tried_again, "it connects again and again")
        assert not running.done()
        await receiver.stop()
        await receiver.close()
        await asyncio.wait_for(running, 20)
