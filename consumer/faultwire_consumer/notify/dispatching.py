"""The dispatcher of the policy in use: with another policy's receivers another dispatcher takes over."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.sender import Sender

RETIRE_SECONDS: Final = 15.0
"""For the attempts that are under way when a dispatcher is replaced; one takes 10 s at most."""

Senders = Mapping[str, Sender]


class Dispatching:
    """Runs one dispatcher at a time, and a replaced one until its attempts have ended.

    Two of them at once are no danger: any number of workers share the outbox.
    """

    def __init__(self, senders: Senders, make: Callable[[Senders], Dispatcher]) -> None:
        self._make = make
        self._senders = senders
        self._open = [senders]
        self._current = make(senders)
        self._replaced = asyncio.Event()

    @property
    def senders(self) -> Senders:
        """The senders in use, by the names of their receivers."""
        return self._senders

    @property
    def receivers(self) -> Collection[str]:
        """The names of the receivers in use."""
        return self._senders.keys()

    def wake(self) -> None:
        """Note that something was committed that may be due."""
        self._current.wake()

    def use(self, senders: Senders) -> None:
        """Send by these from now on."""
        self._senders, self._current = senders, self._make(senders)
        self._open.append(senders)
        self._replaced.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._replaced.clear()
                dispatcher, senders = self._current, self._senders
                running = group.create_task(dispatcher.run())
                await self._replaced.wait()
                group.create_task(self._retire(dispatcher, senders, running))

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, and let running attempts end."""
        await self._current.drain(seconds)

    async def give_up_orphans(self) -> int:
        """Give up notifications for receivers that the policy does not know; return their number.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        return await self._current.give_up_orphans()

    async def aclose(self) -> None:
        """Close every sender."""
        await asyncio.gather(*(self._close(senders) for senders in list(self._open)))

    async def _retire(self, dispatcher: Dispatcher, senders: Senders, running: asyncio.Task[None]) -> None:
        await dispatcher.drain(RETIRE_SECONDS)
        running.cancel()
        await self._close(senders)

    async def _close(self, senders: Senders) -> None:
        self._open.remove(senders)
        await asyncio.gather(*(sender.aclose() for sender in senders.values()))
