"""A dispatcher as a process of its own, whose leases are short; run by the test of several at once."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_consumer.store.engine import open_store

LEASE_SECONDS: Final = 10.0
"""Long enough for a busy machine: a lease that ends while its holder works sends twice."""


class FileSender:
    """Writes a line for each notification: who sent it, and its key."""

    name = "log"

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def send(self, notification: Notification) -> Outcome:
        os.write(self._file, f"{os.getpid()} {notification.idempotency_key}\n".encode())
        await asyncio.sleep(0.01)
        return Sent()

    async def aclose(self) -> None:
        os.close(self._file)


async def main(url: str, path: Path) -> None:
    store, sender = await open_store(url), FileSender(path)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    dispatcher = Dispatcher(
        store,
        {"log": sender},
        metrics=Metrics(),
        clock=lambda: datetime.now(UTC),
        lease_seconds=LEASE_SECONDS,
    )
    running = asyncio.create_task(dispatcher.run())
    await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    await dispatcher.drain(5)
    running.cancel()
    await asyncio.wait({running})
    await sender.aclose()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
