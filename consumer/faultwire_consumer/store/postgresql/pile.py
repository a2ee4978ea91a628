"""A transaction's unsent writes on one connection of asyncpg's."""

from collections.abc import Sequence
from typing import Any

from faultwire_consumer.store.contract.pile import Write, together


class DriverPile:
    """Gathers writes, and sends them as one statement, which the driver prepares once."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._waiting: list[Write] = []

    async def add(self, write: Write) -> None:
        """Have a write sent with those that follow."""
        if any(write.shape is other.shape for other in self._waiting):
            await self.send()
        self._waiting.append(write)

    async def send(self, last: Write | None = None) -> Sequence[Any]:
        """Send what waits, and after it this one; return the rows of the last one."""
        if last is not None:
            await self.add(last)
        writes, self._waiting = self._waiting, []
        if not writes:
            return ()
        values = [value for write in writes for value in write.values]
        rows: Sequence[Any] = await self._driver.fetch(
            together(tuple(write.shape for write in writes)), *values
        )
        return rows
