"""Drains a full queue into PostgreSQL, and reads the rate off the commits themselves."""

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import pika
from msgspec import Struct
from tests.benchmarks import naive_faststream, raw_consume
from tests.benchmarks.event import FINGERPRINTS, bodies
from tests.servers.postgresql import PostgreSQL, Servers
from tests.servers.process import ServerProcess, run, temporary_home, wait_until
from tests.servers.rabbitmq import Nodes
from tests.servers.worker import Worker, clean_environment

from faultwire_shared import codec

NAIVE_EVENTS: Final = 2_000
WORKER_EVENTS: Final = 100_000
PATIENCE_SECONDS: Final = 300.0


class Drained(Struct, frozen=True):
    """What was in the database when the queue was empty, by the database's own clock."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Place(Struct, frozen=True):
    """Where one candidate drains one queue once: a fresh vhost, database and directory."""

    broker_url: str
    database: PostgreSQL
    home: Path


@contextmanager
def fresh_place(nodes: Nodes, servers: Servers) -> Iterator[Place]:
    with ExitStack() as exit_stack:
        broker = exit_stack.enter_context(nodes.shared())
        database = exit_stack.enter_context(servers.shared())
        yield Place(broker.url, database, exit_stack.enter_context(temporary_home("drain")))


def drain_naive(place: Place, count: int = NAIVE_EVENTS) -> Drained:
    """FastStream, started on a full queue."""
    queue = "naive"
    place.database.execute(naive_faststream.SCHEMA)
    fill(place.broker_url, count, exchange="", key=queue, queue=queue)
    command = [sys.executable, naive_faststream.__file__, place.broker_url, place.database.url, queue]
    process = ServerProcess(command, clean_environment(place.home), place.home / "naive.log")
    try:
        return _watch(place.database, "events", "id", count, process)
    finally:
        process.end()


def drain_worker(place: Place, count: int = WORKER_EVENTS, *, a_message: int = 1) -> Drained:
    """The real worker under its default settings, started on a full routine lane."""
    worker = Worker(place.home, broker_url=place.broker_url, database_url=place.database.url)
    worker.prepare()
    fill(
        place.broker_url,
        count,
        exchange="faultwire.events",
        key="event.medium.system.shop",
        queue="faultwire.routine",
        a_message=a_message,
    )
    worker.start()
    try:
        return _watch(place.database, "faultwire.events", "event_id", count)
    finally:
        worker.kill()


def consume_raw(place: Place, count: int = WORKER_EVENTS) -> Drained:
    """aio-pika, that does nothing with the messages but to ack them."""
    fill(place.broker_url, count, exchange="", key="raw", queue="raw")
    command = [sys.executable, raw_consume.__file__, place.broker_url, "raw", str(count)]
    return Drained(count - 1, float(run(command, clean_environment(place.home))))


def fill(url: str, count: int, *, exchange: str, key: str, queue: str, a_message: int = 1) -> None:
    """Publish the events, so many in a message, and wait until the queue holds them all."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if not exchange:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    for body in _messages(count, a_message):
        channel.basic_publish(exchange, key, body, properties)

    def is_full() -> bool:
        declared = channel.queue_declare(queue, passive=True)
        return bool(declared.method.message_count * a_message == count)

    wait_until(is_full, f"{count:,} events in {queue}", seconds=PATIENCE_SECONDS)
    connection.close()


def _messages(count: int, a_message: int) -> Iterator[bytes]:
    events = bodies(count)
    if a_message == 1:
        return events
    assert count % a_message == 0
    return (codec.encode_batch(list(islice(events, a_message))) for _ in range(count // a_message))


def _watch(
    database: PostgreSQL, table: str, key: str, count: int, process: ServerProcess | None = None
) -> Drained:
    """Wait for the last row, then ask when each was committed (`track_commit_timestamp`)."""

    # ruff's S608 below: the names of tables and columns are this module's own.
    inserted = f"""
        SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relid IN
        (SELECT relid FROM pg_partition_tree('{table}') UNION SELECT '{table}'::regclass)
    """
    committed = f"""
        WITH committed AS (SELECT {key} AS id, pg_xact_commit_timestamp(xmin) AS at FROM {table})
        SELECT count(DISTINCT id), extract(epoch FROM max(at) - min(at)),
               count(*) FILTER (WHERE at > (SELECT min(at) FROM committed)) FROM committed
    """

    def has_all() -> bool:
        if process is not None:
            assert process.is_running, process.log.read_text()
        # The statistics cost nothing, but come late and may be over: the rows have the last word.
        return int(database.execute(inserted)) >= count and int(database.execute(rows)) >= count

    rows = f"SELECT count(*) FROM {table}"
    wait_until(has_all, f"{count:,} rows in {table}", seconds=PATIENCE_SECONDS, pause=0.5)
    distinct, seconds, later = database.execute(committed).split("|")
    assert int(distinct) == count, f"{distinct} distinct events of {count}"
    # The first commit starts the clock, so its own rows do not count.
    return Drained(int(later), float(seconds))


def check_counts(database: PostgreSQL, table: str, count: int) -> None:
    """The incidents' counts add up to the events, and none is missing."""
    counts = f"SELECT sum(count), count(*) FROM {table}"
    total, incidents = database.execute(counts).split("|")
    assert int(total) == count, f"the incidents count {total} events of {count}"
    assert int(incidents) == FINGERPRINTS, f"{incidents} incidents of {FINGERPRINTS}"


def describe(name: str, goal: str, ratios: Sequence[float]) -> str:
    """The median ratio with its extremes, beside what was to be reached."""
    median, low, high = statistics.median(ratios), min(ratios), max(ratios)
    return f"{name}: {median:.3g} (min {low:.3g}, max {high:.3g}, {len(ratios)} rounds); goal: {goal}"
