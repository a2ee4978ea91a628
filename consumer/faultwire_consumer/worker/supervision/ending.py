"""The moment before a drain: nobody is to be sent here any more, and who comes all the same is served."""

import asyncio
from collections.abc import Awaitable, Callable

from faultwire_consumer.worker.supervision.service_manager import ServiceManager
from faultwire_shared.logging.logs import get_logger

log = get_logger("faultwire.worker")


class EndingError(Exception):
    """The process was told to end, and goes on serving for a moment."""


class Ending:
    """Says that a process ends, to its readiness probe and its service manager, before anything stops."""

    def __init__(
        self,
        manager: ServiceManager,
        delay_seconds: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._manager = manager
        self._delay_seconds = delay_seconds
        self._sleep = sleep
        self._has_begun = False

    async def begin(self) -> None:
        """Say so, and wait until balancers can have heard of it."""
        self._has_begun = True
        self._manager.stopping()
        if self._delay_seconds > 0:
            log.info("worker.leaving", delay_seconds=self._delay_seconds)
            await self._sleep(self._delay_seconds)

    async def check(self) -> None:
        """Pass until the end begins.

        Raises:
            EndingError: it has begun.
        """
        if self._has_begun:
            raise EndingError("it was told to end, and goes on serving for a moment")
