"""Decides which lane's batch is worked on first, as one loop and one database do the work of all.

Each lane has its own queue, connection and prefetch, but they share a process: with two lanes of
backlog there would always be four batches of 500 events in progress, and each of a critical event's
few steps would wait behind one of their decodes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from faultwire_shared.event import Lane

PATIENCE_SECONDS: Final = 0.3
"""Longest wait of another lane's batch: a flood of critical events slows the others, but stops none. Work in
progress when a critical event comes takes up to 0.2 s on two busy cores: with less patience the next
batches would begin before its turn."""
TOGETHER: Final = 2
"""Batches of the other lanes in progress: one is decoded while the database works on the other, and a
third makes none of them faster. A lane that has none in progress does not wait for this."""


class LanePriority:
    """Holds the other lanes' next batches back while critical events are being stored."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._critical = 0
        self._others: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[None]:
        """Wait until a batch of this lane may begin; it lasts as long as the context."""
        if lane != Lane.CRITICAL:
            await self._wait(lane)
        self._count(lane, 1)
        try:
            yield
        finally:
            self._count(lane, -1)

    def _count(self, lane: str, change: int) -> None:
        if lane == Lane.CRITICAL:
            self._critical += change
        else:
            self._others[lane] += change
        self._changed.set()
        self._changed = asyncio.Event()

    def _may_begin(self, lane: str) -> bool:
        return not self._critical and (not self._others[lane] or self._others.total() < TOGETHER)

    async def _wait(self, lane: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while not self._may_begin(lane):
                    await self._changed.wait()
