"""One loader for every receiver of Sentry's envelopes, and a look into its table from outside."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from msgspec import Struct
from tests.benchmarks import drain
from tests.benchmarks.sentry_traffic import Post, Project, posts, templates
from tests.servers.process import wait_until
from tests.tools.usage import cpu_seconds, tree_of

CONNECTIONS: Final = 64
"""Each SDK has one of its own, and waits for the answer on it."""
A_SECOND: Final = 10
"""Events of the calm in which latency is measured: less than either receiver takes."""
_LOOK_SECONDS: Final = 0.002


class Receiver(Struct, frozen=True):
    """A receiver that runs, on a SQLite file."""

    port: int
    database: Path
    ids: str
    """The statement that gives the ids of events, from a row number on."""
    pids: Sequence[int]
    projects: Sequence[Project]
    headers: dict[str, str]
    """What its proxy would add."""


class Taken(Struct, frozen=True):
    """What a receiver did under load and in the calm after it."""

    rate: float
    """Events that came to stand in its table in a second."""
    cpu_ms: float
    """Milliseconds of all its processes for an event, waiting to be stored included."""
    seconds: list[float]
    """From the first byte of a request to the row, of each event in the calm."""


def load(receiver: Receiver, count: int, calm: int) -> Taken:
    """Post events over several connections, then some more one after another; all of them must be stored."""
    sent = [*_warm(receiver)]
    flood = posts(count, receiver.projects)
    with _watching(receiver) as stored:
        before, started = _cpu(receiver), time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            shares = [flood[first::CONNECTIONS] for first in range(CONNECTIONS)]
            sending = [pool.submit(_send, receiver, share) for share in shares]
            for one in sending:
                one.result()
            _wait_for(stored, flood)
        rate = count / (max(stored[one.event_id] for one in flood) - started)
        cpu_ms = (_cpu(receiver) - before) / count * 1e3
        slow = posts(calm, receiver.projects)
        handed = _send_calmly(receiver, slow)
        _wait_for(stored, slow)
        seconds = [stored[one.event_id] - at for one, at in zip(slow, handed, strict=True)]
    sent += [one.event_id for one in (*flood, *slow)]
    assert sorted(_ids(receiver)) == sorted(sent), "each that was sent is stored once, and nothing else"
    return Taken(rate, cpu_ms, seconds)


def _warm(receiver: Receiver) -> list[str]:
    """Send what loads every library and opens every incident, so that neither side's start is measured."""
    first = posts(len(templates()) * len(receiver.projects), receiver.projects)
    with _watching(receiver) as stored:
        _send(receiver, first)
        _wait_for(stored, first)
    return [one.event_id for one in first]


def _send(receiver: Receiver, share: Sequence[Post]) -> None:
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=120)) as connection:
        for one in share:
            _post(connection, receiver, one)


def _send_calmly(receiver: Receiver, share: Sequence[Post]) -> list[float]:
    handed = []
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=120)) as connection:
        for one in share:
            handed.append(time.perf_counter())
            _post(connection, receiver, one)
            time.sleep(max(0.0, handed[-1] + 1 / A_SECOND - time.perf_counter()))
    return handed


def _post(connection: HTTPConnection, receiver: Receiver, one: Post) -> None:
    connection.request("POST", one.path, one.body, receiver.headers | one.headers)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text[:500]


def _wait_for(stored: dict[str, float], sent: Sequence[Post]) -> None:
    def are_stored() -> bool:
        return all(one.event_id in stored for one in sent)

    wait_until(are_stored, f"{len(sent)} events", seconds=drain.PATIENCE_SECONDS)


@contextmanager
def _watching(receiver: Receiver) -> Iterator[dict[str, float]]:
    """When each event was first seen in the table."""
    stored: dict[str, float] = {}
    is_over = threading.Event()
    thread = threading.Thread(target=_watch, args=(receiver, stored, is_over.is_set))
    thread.start()
    try:
        yield stored
    finally:
        is_over.set()
        thread.join()


def _watch(receiver: Receiver, stored: dict[str, float], is_over: Callable[[], bool]) -> None:
    row = 0
    with closing(_open(receiver.database)) as connection:
        while not is_over():
            found = connection.execute(receiver.ids, (row,)).fetchall()
            seen_at = time.perf_counter()
            stored |= {_plain(event_id): seen_at for _, event_id in found}
            row = found[-1][0] if found else row
            time.sleep(_LOOK_SECONDS)


def _ids(receiver: Receiver) -> list[str]:
    with closing(_open(receiver.database)) as connection:
        return [_plain(event_id) for _, event_id in connection.execute(receiver.ids, (0,)).fetchall()]


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)


def _plain(event_id: str) -> str:
    """The SDK's own id, from how a receiver writes it."""
    return event_id.rpartition("_")[2].replace("-", "")


def _cpu(receiver: Receiver) -> float:
    return sum(cpu_seconds(pid) for root in receiver.pids for pid in tree_of(root))
