"""Keeps the workers running, as a service manager does, and notices when one ends that nobody ended."""

import asyncio
import signal
import time
from typing import Final

from tests.tools.worker_process import WorkerProcess

LOOK_SECONDS: Final = 0.1
DRAIN_SECONDS: Final = 30.0
"""The drain has 20 s; a busy machine has some more."""
STARTING: Final = 143
"""A worker that has not come as far as its loop ends by SIGTERM as everything does."""


class KeptWorker:
    """One worker."""

    def __init__(self, name: str, process: WorkerProcess) -> None:
        self.name = name
        self.process = process
        self.complaints: list[str] = []
        self._is_wanted = False
        self._was_ended = True

    async def keep(self) -> None:
        """Start it whenever it does not run and should."""
        self._is_wanted = True
        while True:
            if self._is_wanted and not self.process.is_running:
                if not self._was_ended:
                    code = await self.process.wait_for_death()
                    self.complaints.append(f"{self.name} ended by itself with {code}")
                self._was_ended = False
                await self.process.launch()
            await asyncio.sleep(LOOK_SECONDS)

    async def kill(self, seconds: float) -> None:
        """SIGKILL, and nothing for a while."""
        await self._end(signal.SIGKILL)
        await asyncio.sleep(seconds)
        self._is_wanted = True

    async def term(self, seconds: float) -> None:
        """SIGTERM: it has to drain in time and end well; then nothing for a while."""
        await self.end()
        await asyncio.sleep(seconds)
        self._is_wanted = True

    async def end(self) -> None:
        """SIGTERM for good."""
        began = time.monotonic()
        code = await self._end(signal.SIGTERM)
        took = time.monotonic() - began
        if code not in (0, STARTING, -signal.SIGTERM) or took > DRAIN_SECONDS:
            self.complaints.append(f"{self.name} ended with {code} by SIGTERM after {took:.1f} s")

    async def abandon(self) -> None:
        """SIGKILL for good, if it still runs."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> int:
        self._is_wanted, self._was_ended = False, True
        return await self.process.signal(number) if self.process.is_running else 0

    async def stop(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        if not self.process.is_running:
            return
        await self.process.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        await self.process.send(signal.SIGCONT)
