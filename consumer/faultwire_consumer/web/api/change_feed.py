"""One look at the store a second for all who follow what changes, whichever worker changed it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from faultwire_consumer.serving.refusal import AnnouncedError
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.events.changes import Change, read_changes, read_last_change_id
from faultwire_shared.logging.logs import get_logger

LISTENERS_MAX: Final = 64
WAITING_MAX: Final = 256
"""Changes that wait for one listener; who is behind further is let go, and comes back for the rest."""
POLL_SECONDS: Final = 1.0
LATE_IDS: Final = 200
"""So far below the highest number a change that was committed late is still looked for."""
READ_MAX: Final = 1000

log = get_logger("faultwire.http")

Sleep = Callable[[float], Awaitable[None]]


class TooManyListenersError(AnnouncedError):
    """As many follow the changes as the worker has room for."""

    code = "TOO_MANY_LISTENERS"
    retry_after_seconds: int = 10


class Listener:
    """One who follows: changes wait here until they are taken."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Change | None] = asyncio.Queue(WAITING_MAX + 1)
        self._is_over = False

    def put(self, change: Change) -> None:
        """Add a change, or end it where too many wait."""
        if self._waiting.qsize() >= WAITING_MAX:
            self.end()
        elif not self._is_over:
            self._waiting.put_nowait(change)

    def end(self) -> None:
        """Let it go once it has taken what waits."""
        if not self._is_over:
            self._is_over = True
            self._waiting.put_nowait(None)

    async def take(self, seconds: float) -> Change | None:
        """Return the next change; None at the end.

        Raises:
            TimeoutError: nothing changed for so long.
        """
        async with asyncio.timeout(seconds):
            return await self._waiting.get()


class ChangeFeed:
    """Looks for changes while anybody listens, and tells all of them."""

    def __init__(self, store: Store, *, sleep: Sleep = asyncio.sleep) -> None:
        self._store = store
        self._sleep = sleep
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._told: deque[int] = deque(maxlen=LATE_IDS * 2 + READ_MAX)
        self._last = 0
        self._is_closed = False

    async def join(self) -> tuple[Listener, int]:
        """Begin to listen; with the number of the last change before that.

        Raises:
            TooManyListenersError: there is no room, or the worker ends.
            StoreUnavailableError: the database cannot be used now.
        """
        if self._is_closed or len(self._listeners) >= LISTENERS_MAX:
            raise TooManyListenersError(f"{LISTENERS_MAX} listen already, or the worker ends")
        if self._task is None:
            await self._begin()
        listener = Listener()
        self._listeners.add(listener)
        return listener, self._last

    def leave(self, listener: Listener) -> None:
        """End to listen; nobody looks when nobody listens."""
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self, _: web.Application | None = None) -> None:
        """Let everybody go."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()

    async def _begin(self) -> None:
        last = await read_last_change_id(self._store)
        seen = await read_changes(self._store, after=last - LATE_IDS, limit=LATE_IDS)
        if self._task is None:  # another one may have begun meanwhile
            self._last = last
            self._told.clear()
            self._told.extend(change.id for change in seen)
            self._task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            while True:
                await self._sleep(POLL_SECONDS)
                with suppress(StoreUnavailableError):  # the next look finds what this one missed
                    await self.look_once()
        except Exception as error:  # noqa: BLE001 - a defect ends the streams, and who follows comes back
            log.error("changes.failed", error=type(error).__name__, why=str(error)[:200])  # noqa: TRY400 - one line
            self._task = None
            for listener in self._listeners:  # who comes back begins anew
                listener.end()

    async def look_once(self) -> None:
        """Tell what was committed since the last look, late ones too.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        found = await read_changes(
            self._store, after=max(0, self._last - LATE_IDS), limit=LATE_IDS + READ_MAX
        )
        told = set(self._told)
        for change in found:
            if change.id in told:
                continue
            self._told.append(change.id)
            self._last = max(self._last, change.id)
            for listener in self._listeners:
                listener.put(change)


FEED = web.AppKey("feed", ChangeFeed)
