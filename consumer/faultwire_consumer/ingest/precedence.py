"""Which lane's batch is worked on first where one loop and one database do the work of all.

Each lane has its own queue, connection and prefetch, but they share a process: with two lanes of
backlog there are always four batches of 500 events in work, and a critical event's few steps would
each wait behind a decode of theirs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from faultwire_shared.event import Lane

PATIENCE_SECONDS: Final = 0.1
"""So long a batch of another lane waits at most: a flood of critical events slows the others, and
stops none."""


class Precedence:
    """Holds the other lanes' next batches back while critical events are being stored."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._critical = 0
        self._is_free = asyncio.Event()
        self._is_free.set()

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[None]:
        """What is done in it is a batch of this lane."""
        if lane == Lane.CRITICAL:
            self._critical += 1
            self._is_free.clear()
            try:
                yield
            finally:
                self._critical -= 1
                if not self._critical:
                    self._is_free.set()
            return
        await self._wait()
        yield

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._is_free.wait()
        except TimeoutError:
            return
