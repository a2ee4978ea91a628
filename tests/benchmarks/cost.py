"""What an event costs each part of the pipeline: CPU of worker, database and broker, and bytes of log."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Final

from msgspec import Struct
from tests.benchmarks import drain
from tests.benchmarks.feeding import fed
from tests.servers.process import wait_until
from tests.servers.worker import Worker
from tests.tools.backlog import fill, messages
from tests.tools.event import bodies
from tests.tools.usage import tree_seconds

PATIENCE_SECONDS: Final = 600.0
_STORED: Final = "SELECT coalesce(sum(count), 0) FROM faultwire.incidents"
# Without the whole pages that follow a checkpoint: in a short run on a new store they are nine tenths.
_LOG: Final = "SELECT (wal_bytes - wal_fpi * current_setting('block_size')::int)::bigint FROM pg_stat_wal"
_BATCHES: Final = "faultwire_batch_seconds_count"
_numbers: Final = count()


class Cost(Struct, frozen=True):
    """What was spent in a stretch of time, by part."""

    seconds: float
    events: int
    batches: int
    """The workers' transactions that stored events."""
    worker: float
    """Seconds of CPU of all workers; so are those of database and broker."""
    database: float
    broker: float
    log_bytes: int
    """Of PostgreSQL's write-ahead log, but for whole pages after a checkpoint."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def batch(self) -> float:
        """Events of one transaction."""
        return self.events / max(1, self.batches)


class Look(Struct, frozen=True):
    """The counters of all parts at one moment."""

    at: float
    events: int
    batches: int
    worker: float
    database: float
    broker: float
    log_bytes: int

    def until(self, later: "Look") -> Cost:
        """What was spent from this look to a later one."""
        return Cost(
            seconds=later.at - self.at,
            events=later.events - self.events,
            batches=later.batches - self.batches,
            worker=later.worker - self.worker,
            database=later.database - self.database,
            broker=later.broker - self.broker,
            log_bytes=later.log_bytes - self.log_bytes,
        )


def look(place: drain.Place, crew: list[Worker]) -> Look:
    """Read all counters; the database's own statistics may be a second behind."""
    ask = place.database.execute
    return Look(
        at=time.monotonic(),
        events=int(ask(_STORED)),
        batches=sum(_batches_of(worker) for worker in crew),
        worker=sum(tree_seconds(worker.process.pid) for worker in crew),
        database=tree_seconds(place.database.pid),
        broker=tree_seconds(place.broker.pid),
        log_bytes=int(ask(_LOG)),
    )


def _batches_of(worker: Worker) -> int:
    lines = worker.get_text("/metrics").splitlines()
    return round(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_BATCHES)))


@contextmanager
def crew_at(place: drain.Place, workers: int) -> Iterator[list[Worker]]:
    """So many workers of one queue and one database, which are ready together."""
    names = [f"worker-{next(_numbers)}" for _ in range(workers)]
    crew = [drain.worker_at(place, name, database_url=place.database.url) for name in names]
    with ThreadPoolExecutor() as starting:
        list(starting.map(Worker.start, crew))
    try:
        yield crew
    finally:
        for one in crew:
            one.kill()


def prepare(place: drain.Place) -> None:
    """The schema, and the broker's topology."""
    drain.worker_at(place, "preparing", database_url=place.database.url).prepare()


def at_rest(place: drain.Place, seconds: float) -> Cost:
    """A worker that has nothing to do."""
    with crew_at(place, 1) as crew:
        before = look(place, crew)
        time.sleep(seconds)
        return before.until(look(place, crew))


def at_a_rate(place: drain.Place, per_second: float, seconds: float, *, a_message: int = 1) -> Cost:
    """A worker whose events come in evenly."""
    with crew_at(place, 1) as crew:
        environment = drain.script_environment(place.home)
        with fed(place.broker_url, per_second, place.home, environment, a_message=a_message):
            wait_until(lambda: int(place.database.execute(_STORED)) > per_second, "events come in")
            before = look(place, crew)
            time.sleep(seconds)
            return before.until(look(place, crew))


def saturated(place: drain.Place, events: int, *, workers: int = 1, a_message: int = 50) -> Cost:
    """Workers on a full queue, from when all of them take part until nine tenths are stored."""
    fill(place.broker_url, messages(bodies(events), a_message), count=events // a_message)
    stored = int(place.database.execute(_STORED))
    with crew_at(place, workers) as crew:
        before = look(place, crew)
        wanted = stored + events * 9 // 10
        wait_until(
            lambda: int(place.database.execute(_STORED)) >= wanted,
            f"{wanted:,} events are stored",
            seconds=PATIENCE_SECONDS,
            pause=0.2,
        )
        cost = before.until(look(place, crew))
        wait_until(
            lambda: int(place.database.execute(_STORED)) >= stored + events,
            "all is stored",
            seconds=PATIENCE_SECONDS,
        )
    assert int(place.database.execute(_STORED)) == stored + events
    return cost
