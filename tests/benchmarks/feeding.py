"""Publishes events at a steady rate: as a part of the soak, or as a process until it is ended.

``python feeding.py BROKER_URL EVENTS_A_SECOND EVENTS_A_MESSAGE``.
"""

import itertools
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pika
from tests.servers.process import ServerProcess
from tests.tools.backlog import messages
from tests.tools.event import bodies

from faultwire_shared.event import BATCH_EVENTS

KEY: Final = "event.medium.system.shop"
PAUSE_SECONDS: Final = 0.01


def publish_evenly(url: str, per_second: float, a_message: int = BATCH_EVENTS) -> Iterator[int]:
    """Publish at a steady rate; yields again and again how many events were published so far."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    batches, sent, started = messages(_endless(), a_message), 0, time.monotonic()
    try:
        while True:
            while sent < (time.monotonic() - started) * per_second:
                channel.basic_publish("faultwire.events", KEY, next(batches), properties)
                sent += a_message
            yield sent
            connection.process_data_events(time_limit=PAUSE_SECONDS)
    finally:
        connection.close()


def _endless() -> Iterator[bytes]:
    """Each thousand occurred now: a day that ends meanwhile makes a partition."""
    for start in itertools.count(time.time_ns() // 1000, 1_000):
        yield from bodies(1_000, start=start)


@contextmanager
def fed(
    url: str, per_second: float, home: Path, environment: dict[str, str], *, a_message: int = BATCH_EVENTS
) -> Iterator[None]:
    """A worker's broker, fed by a process of its own meanwhile."""
    command = [sys.executable, __file__, url, f"{per_second}", f"{a_message}"]
    process = ServerProcess(command, environment, home / "feeding.log")
    try:
        yield
        assert process.is_running, process.log.read_text()
    finally:
        process.end(signal.SIGTERM)


def main(url: str, per_second: float, a_message: int) -> None:
    """Publish until SIGTERM."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    for _ in publish_evenly(url, per_second, a_message):
        if ended:
            return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
