"""Stores for tests, opened on machines that may stand still for seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tests.tools.migrating import upgrade

from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.engine import open_store

T = TypeVar("T")

_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.1


async def open_current(url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Bring a database's schema up to date and open it."""
    await _patiently(lambda: upgrade(url))
    return await open_patiently(url, timeouts=timeouts)


async def open_patiently(url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Open a database whose schema is current."""
    return await _patiently(lambda: open_store(url, timeouts=timeouts or Timeouts()))


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask a server that is just busy again."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return await ask()
        except StoreUnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
