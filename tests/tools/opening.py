"""Stores for tests, opened on machines that may stand still for seconds."""

import asyncio
import time
from typing import Final

from tests.tools.migrating import upgrade

from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.engine import open_store

_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.1


async def open_current(url: str, *, timeouts: Timeouts | None = None) -> Store:
    """Bring a database's schema up to date and open it; a server that is just busy is asked again."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            await upgrade(url)
            return await open_store(url, timeouts=timeouts or Timeouts())
        except StoreUnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
