"""Asks the broker how many messages wait in each queue, on a connection of its own."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_shared.amqp import BrokerError, Connection, broker_call, close, connect

LOOK_SECONDS: Final = 15.0
"""As often as Prometheus usually asks."""


class QueueDepthWatch:
    """Asks regularly, in every worker: four frames, and no lease for which the database must be there.

    Args:
        broker_url: whom to ask.
        queues: the queue of each lane.
        metrics: where the answer is shown; NaN while there is none.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        broker_url: str,
        queues: Mapping[str, str],
        *,
        metrics: Metrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = broker_url
        self._queues = queues
        self._shown = metrics.lanes
        self._sleep = sleep
        self._connection: Connection | None = None
        self._show({})

    async def run(self) -> None:
        """Ask until cancelled; that the broker is away is told by the lanes."""
        try:
            while True:
                await self.look()
                await self._sleep(LOOK_SECONDS)
        finally:
            await self._close()

    async def look(self) -> None:
        """Ask once."""
        try:
            if self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._url, "faultwire worker queues")
            self._show(await count_ready(self._connection, tuple(self._queues.values())))
        except BrokerError:
            self._show({})
            await self._close()

    def _show(self, found: Mapping[str, int]) -> None:
        for lane, queue in self._queues.items():
            self._shown.show_ready(lane, found.get(queue, math.nan))

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)


async def count_ready(connection: Connection, queues: tuple[str, ...]) -> dict[str, int]:
    """Return how many messages wait in each queue, without those that somebody has in hand.

    Raises:
        TopologyError: one is missing.
        BrokerUnreachableError: the connection broke, or an answer did not come within 10 s.
    """
    step = partial(broker_call, "ask for the depth of queues", 10)
    found: dict[str, int] = {}
    async with step():
        channel = await connection.channel()
    for name in queues:
        async with step():
            queue = await channel.get_queue(name, ensure=True)
        found[name] = queue.declaration_result.message_count or 0
    async with step():
        await channel.close()
    return found
