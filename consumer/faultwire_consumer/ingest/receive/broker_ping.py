"""Checks that the broker answers, for the readiness probe."""

import asyncio
from typing import Final

from faultwire_shared.amqp import BrokerUnreachableError, Connection, check, close, connect

CLOSE_SECONDS: Final = 1.0


class BrokerPing:
    """One check at a time, on a connection of its own: a check that hangs must not affect the lanes.

    A caller may give up earlier; the check then goes on under its own timeouts, and the next caller waits
    for the same one.
    """

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._connection: Connection | None = None
        self._asking: asyncio.Task[None] | None = None

    async def ask(self) -> None:
        """Return when the broker has answered.

        Raises:
            BrokerError: the broker did not answer.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        if self._connection is None or self._connection.is_closed:
            self._connection = await connect(self._url, "faultwire worker health")
        try:
            await check(self._connection)  # no queues: a lane whose queue is missing reports it itself
        except BrokerUnreachableError:
            await self._close()
            raise

    async def aclose(self) -> None:
        """End the running check and the connection within a second: nothing on it matters."""
        if self._asking is not None:
            self._asking.cancel()
        ending = asyncio.create_task(self._close())
        await asyncio.wait({ending}, timeout=CLOSE_SECONDS)
        ending.cancel()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await close(connection)
