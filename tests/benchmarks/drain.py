"""Drains a full queue into a database, and reads the rate off the commits themselves."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from tests.benchmarks import naive_faststream, naive_store, raw_consume, store_ceiling
from tests.servers.postgresql import PostgreSQL, Servers
from tests.servers.process import ServerProcess, run, temporary_home, wait_until
from tests.servers.rabbitmq import Nodes, RabbitMQ
from tests.servers.worker import Worker, clean_environment
from tests.tools.backlog import fill, messages
from tests.tools.event import FINGERPRINTS, bodies, unmarked
from tests.tools.usage import cpu_seconds, peak_mib

NAIVE_EVENTS: Final = 2_000
WORKER_EVENTS: Final = 100_000
PATIENCE_SECONDS: Final = 300.0
ROOT: Final = Path(__file__).parents[2]

_NAIVE: Final = "naive"
_LOOK_SECONDS: Final = 0.01
_LAST_ROW: Final = "SELECT coalesce(max(rowid), 0) FROM events"


class Drained(Struct, frozen=True):
    """What was in the database when the queue was empty, by the commits' own times."""

    events: int
    seconds: float
    cpu_us: float = 0.0
    """Microseconds of the consumers for an event, from when all of them were ready."""
    peak_mib: float = 0.0
    """Resident memory, at most, of one consumer."""

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Place(Struct, frozen=True):
    """Where one candidate drains one queue once: a fresh vhost, database and directory."""

    broker: RabbitMQ
    database: PostgreSQL
    home: Path

    @property
    def broker_url(self) -> str:
        return self.broker.url

    @property
    def sqlite_path(self) -> Path:
        return self.home / "events.db"


@contextmanager
def fresh_place(nodes: Nodes, servers: Servers) -> Iterator[Place]:
    with ExitStack() as exit_stack:
        broker = exit_stack.enter_context(nodes.shared())
        database = exit_stack.enter_context(servers.shared())
        yield Place(broker, database, exit_stack.enter_context(temporary_home("drain")))


def script_environment(home: Path) -> dict[str, str]:
    """For a script of this folder, which finds its neighbours and our packages."""
    return clean_environment(home) | {"PYTHONPATH": str(ROOT)}


def drain_naive(
    place: Place,
    count: int = NAIVE_EVENTS,
    *,
    consumer: ModuleType = naive_faststream,
    on_sqlite: bool = False,
) -> Drained:
    """A naive consumer, started on a full queue."""
    url = f"sqlite:///{place.sqlite_path}" if on_sqlite else place.database.url
    if on_sqlite:
        with closing(sqlite3.connect(place.sqlite_path)) as connection:
            connection.executescript(naive_store.ON_SQLITE)
    else:
        place.database.execute(naive_store.ON_POSTGRESQL)
    fill(place.broker_url, bodies(count), exchange="", key=_NAIVE, queue=_NAIVE, count=count)
    with naive_process(place, consumer, url) as process:
        if on_sqlite:
            return _watch_sqlite(place.sqlite_path, count, [process])
        return _watch(place.database, "events", "id", count, [process])


@contextmanager
def naive_process(place: Place, consumer: ModuleType, database_url: str) -> Iterator[ServerProcess]:
    """A naive consumer of the queue ``naive``."""
    assert consumer.__file__ is not None
    command = [sys.executable, consumer.__file__, place.broker_url, database_url, _NAIVE]
    process = ServerProcess(command, script_environment(place.home), place.home / "naive.log")
    try:
        yield process
    finally:
        process.end()


def drain_worker(
    place: Place,
    count: int = WORKER_EVENTS,
    *,
    a_message: int = 1,
    workers: int = 1,
    fingerprints: int = FINGERPRINTS,
    on_sqlite: bool = False,
    is_marked: bool = True,
) -> Drained:
    """Real workers under their default settings, started on a full routine lane."""
    url = None if on_sqlite else place.database.url
    crew = [worker_at(place, f"worker-{number}", database_url=url) for number in range(workers)]
    crew[0].prepare()
    events = bodies(count, fingerprints=fingerprints)
    sent = messages(events if is_marked else unmarked(events), a_message)
    fill(place.broker_url, sent, count=count // a_message)
    # All at once: a second worker that came later would find half of the queue gone.
    with ThreadPoolExecutor() as starting:
        list(starting.map(Worker.start, crew))
    ready_at = time.time() if workers > 1 else None
    processes, path = [one.process for one in crew], crew[0].home / "faultwire.db"
    try:
        spent = _cpu(processes)
        stored = _rows(path) if on_sqlite else _rows_of(place.database, "faultwire.events")
        if on_sqlite:
            drained = _watch_sqlite(path, count, processes)
        else:
            drained = _watch(place.database, "faultwire.events", "event_id", count, processes, since=ready_at)
        assert stored < count, "it was drained before it could be looked at"
        cpu_us = (_cpu(processes) - spent) / (count - stored) * 1e6
        return replace(drained, cpu_us=cpu_us, peak_mib=max(peak_mib(one.pid) for one in processes))
    finally:
        for one in crew:
            one.kill()


def worker_at(place: Place, name: str, *, database_url: str | None) -> Worker:
    """A worker with a directory of its own, on SQLite there if no database is named."""
    home = place.home / name
    home.mkdir()
    return Worker(home, broker_url=place.broker_url, database_url=database_url)


def consume_raw(place: Place, count: int = WORKER_EVENTS) -> Drained:
    """aio-pika, that does nothing with the messages but to ack them."""
    fill(place.broker_url, bodies(count), exchange="", key="raw", queue="raw", count=count)
    command = [sys.executable, raw_consume.__file__, place.broker_url, "raw", str(count)]
    return Drained(count - 1, float(run(command, clean_environment(place.home))))


def store_from_memory(place: Place, count: int = WORKER_EVENTS) -> Drained:
    """The worker's own transactions on one connection, from events that were decoded before."""
    worker_at(place, "ceiling", database_url=place.database.url).command("db", "upgrade")
    command = [sys.executable, store_ceiling.__file__, place.database.url, str(count)]
    process = ServerProcess(command, script_environment(place.home), place.home / "ceiling.log")
    try:
        return _watch(place.database, "faultwire.events", "event_id", count, [process])
    finally:
        process.end()


def _watch(
    database: PostgreSQL,
    table: str,
    key: str,
    count: int,
    processes: list[ServerProcess],
    *,
    since: float | None = None,
) -> Drained:
    """Wait for the last row, then ask when each was committed (`track_commit_timestamp`).

    The first commit starts the clock, and its own rows do not count; or the moment ``since``.
    """
    # ruff's S608 below: the names of tables and columns are this module's own.
    inserted = f"""
        SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relid IN
        (SELECT relid FROM pg_partition_tree('{table}') UNION SELECT '{table}'::regclass)
    """
    begin = "min(at)" if since is None else f"to_timestamp({since})"
    committed = f"""
        WITH committed AS (SELECT {key} AS id, pg_xact_commit_timestamp(xmin) AS at FROM {table}),
        bounds AS (SELECT {begin} AS first, max(at) AS last, count(DISTINCT id) AS ids FROM committed)
        SELECT ids, extract(epoch FROM last - first),
               (SELECT count(*) FROM committed WHERE at > first) FROM bounds
    """

    def has_all() -> bool:
        # The statistics cost nothing, but come late and may be over: the rows have the last word.
        _see_alive(processes)
        return int(database.execute(inserted)) >= count and _rows_of(database, table) >= count

    wait_until(has_all, f"{count:,} rows in {table}", seconds=PATIENCE_SECONDS, pause=0.5)
    distinct, seconds, later = database.execute(committed).split("|")
    assert int(distinct) == count, f"{distinct} distinct events of {count}"
    return Drained(int(later), float(seconds), peak_mib=max(peak_mib(one.pid) for one in processes))


def _watch_sqlite(path: Path, count: int, processes: list[ServerProcess]) -> Drained:
    """Look every few milliseconds how many rows there are: nothing is deleted, so the last row's number."""
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        while True:
            now = time.perf_counter()
            stored = connection.execute(_LAST_ROW).fetchone()[0]
            if stored and first is None:
                first = (now, stored)
            if stored >= count:
                break
            _see_alive(processes)
            assert time.monotonic() < deadline, f"{stored:,} of {count:,} rows"
            time.sleep(_LOOK_SECONDS)
        assert connection.execute("SELECT count(*) FROM events").fetchone()[0] == count
    assert first is not None
    return Drained(count - first[1], now - first[0])


def _see_alive(processes: list[ServerProcess]) -> None:
    for process in processes:
        assert process.is_running, process.log.read_text()


def _cpu(processes: list[ServerProcess]) -> float:
    return sum(cpu_seconds(process.pid) for process in processes)


def _rows_of(database: PostgreSQL, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table}"))


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute(_LAST_ROW).fetchone()[0])


def check_counts(
    place: Place,
    table: str,
    count: int,
    *,
    fingerprints: int = FINGERPRINTS,
    sqlite_path: Path | None = None,
) -> None:
    """The incidents' counts add up to the events, and none is missing."""
    counts = f"SELECT sum(count), count(*) FROM {table}"
    if sqlite_path is None:
        total, incidents = place.database.execute(counts).split("|")
    else:
        with closing(sqlite3.connect(f"file:{sqlite_path}?mode=ro", uri=True)) as connection:
            total, incidents = connection.execute(counts).fetchone()
    assert int(total) == count, f"the incidents count {total} events of {count}"
    assert int(incidents) == fingerprints, f"{incidents} incidents of {fingerprints}"
