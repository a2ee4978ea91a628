"""Workers of one database, simulated: where more of them, or more cores, no longer help.

A process of steps, each of which takes a resource for a time: a worker's core, one of the database's cores,
the lock on an incident that is in everybody's batches. Times are those that were measured (`sizing.Costs`).
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator
from itertools import count
from typing import Final, NamedTuple

from msgspec import Struct

IN_FLIGHT: Final = 2
"""Batches of one worker, as its lane has them."""

Steps = Generator["Use | Hold | Give | float", None, None]


class Resource:
    """What so many may have at once; the others wait in the order in which they came."""

    def __init__(self, capacity: int) -> None:
        self.free = capacity
        self.waiting: deque[Callable[[], None]] = deque()
        self.busy = 0.0
        """Seconds for which it was used, over all of its capacity."""


class Use(Struct, frozen=True):
    """A resource for some seconds, then it is somebody else's."""

    resource: Resource
    seconds: float


class Hold(Struct, frozen=True):
    """A resource until it is given back."""

    resource: Resource


class Give(Struct, frozen=True):
    """Give it back."""

    resource: Resource


class Clock:
    """Moves from one moment at which something happens to the next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen so many seconds from now."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), what))

    def run(self, until: float) -> None:
        """Let everything happen that is due by then."""
        while self._due and self._due[0][0] <= until:
            self.now, _, what = heapq.heappop(self._due)
            what()

    def start(self, steps: Steps) -> None:
        """Begin a process."""
        self.at(0.0, lambda: self._go_on(steps))

    def _go_on(self, steps: Steps) -> None:
        step = next(steps, None)
        match step:
            case float():
                self.at(step, lambda: self._go_on(steps))
            case Use(resource, seconds):
                self._take(resource, lambda: self._use(steps, resource, seconds))
            case Hold(resource):
                self._take(resource, lambda: self._go_on(steps))
            case Give(resource):
                self._give(resource)
                self._go_on(steps)

    def _use(self, steps: Steps, resource: Resource, seconds: float) -> None:
        def end() -> None:
            resource.busy += seconds
            self._give(resource)
            self._go_on(steps)

        self.at(seconds, end)

    def _take(self, resource: Resource, then: Callable[[], None]) -> None:
        if resource.free:
            resource.free -= 1
            then()
        else:
            resource.waiting.append(then)

    def _give(self, resource: Resource) -> None:
        if resource.waiting:
            self.at(0.0, resource.waiting.popleft())
        else:
            resource.free += 1


class Batch(Struct, frozen=True):
    """What one full batch takes, in seconds."""

    events: int
    worker: float
    before: float
    """The database's CPU until it locks the incidents; so is `after`, until the commit begins."""
    after: float
    commit: float
    """From then until the log is on the disk, in which no core is busy."""
    travel: float
    """The network's, there and back, for all of its statements."""
    broker: float = 0.0
    """The broker's CPU where it stands on the database's cores."""


class Site(Struct, frozen=True):
    """The machines."""

    workers: int
    database_cores: int
    shared_cores: int = 0
    """Cores that workers and database share; 0: they have machines of their own."""


class Outcome(Struct, frozen=True):
    """What came of it."""

    rate: float
    """Events a second."""
    worker_share: float
    """Of a worker's core, how much is busy; so are `database_share` and `lock_share`."""
    database_share: float
    lock_share: float

    @property
    def limit(self) -> str:
        """What is busiest."""
        shares = {"workers": self.worker_share, "database": self.database_share, "incident": self.lock_share}
        return max(shares, key=lambda name: shares[name])


def simulate(site: Site, batch: Batch, *, one_bug: bool, seconds: float = 60.0) -> Outcome:
    """Return how fast a full queue is emptied.

    Args:
        site: the machines.
        batch: what one costs.
        one_bug: True if one incident is in every batch; False if no two batches have one in common.
        seconds: how long it is watched.
    """
    clock, stored = Clock(), [0]
    shared = Resource(site.shared_cores) if site.shared_cores else None
    database = shared or Resource(site.database_cores)
    cores = [shared or Resource(1) for _ in range(site.workers)]
    lock = Resource(1)
    for core in cores:
        thread = Resource(1)
        for _ in range(IN_FLIGHT):
            needed = _Needed(thread, core, database, lock if one_bug else Resource(1))
            clock.start(_move(needed, batch, stored))
    clock.run(seconds)
    rate = stored[0] / seconds
    database_used = rate / batch.events * (batch.before + batch.after)
    return Outcome(
        rate=rate,
        worker_share=rate / batch.events * batch.worker / site.workers,
        database_share=database_used / (site.shared_cores or site.database_cores),
        lock_share=rate / batch.events * (batch.after + batch.commit) if one_bug else 0.0,
    )


class _Needed(NamedTuple):
    thread: Resource
    core: Resource
    database: Resource
    lock: Resource


def _move(needed: _Needed, batch: Batch, stored: list[int]) -> Steps:
    """A worker's own turn (it is one thread), then its transaction."""
    while True:
        yield Hold(needed.thread)
        yield Use(needed.core, batch.worker)
        yield Give(needed.thread)
        yield Use(needed.database, batch.broker)
        yield batch.travel
        yield Use(needed.database, batch.before)
        yield Hold(needed.lock)
        yield Use(needed.database, batch.after)
        yield batch.commit
        yield Give(needed.lock)
        stored[0] += batch.events
