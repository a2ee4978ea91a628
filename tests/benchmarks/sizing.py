"""How many machines a rate takes, from what an event was measured to cost; the guide's table is made by it.

``python -m tests.benchmarks.sizing`` writes the table of `PAGE` from `COSTS`, or from what `test_cost.py` has
measured here.
"""

import math
import shutil
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from tests.benchmarks.simulation import Batch, Outcome, Site, simulate
from tests.tools.event import FINGERPRINTS

from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS

ROOT: Final = Path(__file__).parents[2]
COSTS: Final = Path(__file__).with_name("costs.json")
MEASURED: Final = ROOT / "build/bench/costs.json"
PAGE: Final = ROOT / "consumer/docs/operate/sizing.md"
MARKERS: Final = ("<!-- model -->", "<!-- end of model -->")
RATES: Final = (100, 1_000, 10_000, 100_000)
SPARE: Final = 0.5
"""Of what is there, at most, that a steady rate may take: the rest is for peaks, and for when one is away.

Of workers it is their rate with a full queue and not their CPU: the less comes, the smaller are batches, and
the dearer is an event.
"""


class Part(Struct, frozen=True):
    """What one part spends, in microseconds of CPU."""

    an_event: float
    an_incident: float
    """For each that a transaction touches, however many of its events are of it."""
    a_batch: float
    """For each transaction, whatever it has."""
    at_rest: float
    """In each second, with nothing to do."""

    def of_batch(self, batch: float) -> float:
        """Microseconds for a transaction of so many events."""
        return self.an_event * batch + self.an_incident * touched(batch) + self.a_batch

    def cores(self, rate: float, batch: float) -> float:
        """Cores that are busy at a rate of events a second."""
        return (self.at_rest + rate / batch * self.of_batch(batch)) / 1e6


class Costs(Struct, frozen=True):
    """The measured costs of one event, one a message."""

    worker: Part
    database: Part
    broker: Part
    """Of one node, which takes, hands over and forgets each message; there is no batch."""
    before_lock: float
    """Share of the database's time that passes before it locks the batch's incidents."""
    commit_seconds: float
    travel_seconds: float
    """There and back for all statements of a transaction, between machines of one room."""


class Plan(Struct, frozen=True):
    """What to run for a rate."""

    rate: float
    workers: int
    batch: float
    """Events of one transaction."""
    worker_cores: float
    database_cores: float
    broker_cores: float
    most: Outcome
    """What these machines do when the queue is full, and one incident is in every batch."""

    @property
    def database_machine(self) -> int:
        """Cores to give to the database."""
        return max(2, math.ceil(self.database_cores / SPARE))


def touched(batch: float) -> float:
    """Incidents that a batch touches, of as many bugs as the benchmarks' events have, each as frequent."""
    return float(FINGERPRINTS * (1 - (1 - 1 / FINGERPRINTS) ** batch))


def batch_at(costs: Costs, rate: float) -> float:
    """Events of a transaction of a worker to which events come at a rate: what comes while one is at work."""
    batch = 1.0
    for _ in range(200):  # by then it has settled
        service = costs.worker.of_batch(batch) + costs.database.of_batch(batch)
        batch = min(float(BATCH_EVENTS), max(1.0, rate * (service / 1e6 + costs.commit_seconds)))
    return batch


def plan(costs: Costs, rate: float) -> Plan:
    """Return what to run for so many events a second, all day."""
    workers = math.ceil(rate / SPARE / alone(costs))
    batch = batch_at(costs, rate / workers)
    database = costs.database.cores(rate, batch)
    site = Site(workers, max(2, math.ceil(database / SPARE)))
    return Plan(
        rate=rate,
        workers=workers,
        batch=batch,
        worker_cores=workers * costs.worker.cores(rate / workers, batch),
        database_cores=database,
        broker_cores=costs.broker.cores(rate, 1.0),
        most=simulate(site, full_batch(costs), one_bug=True, seconds=10.0),
    )


def alone(costs: Costs) -> float:
    """Return how fast one worker empties a full queue into a database that has cores to spare."""
    return simulate(Site(1, 8), full_batch(costs), one_bug=False, seconds=10.0).rate


def full_batch(costs: Costs) -> Batch:
    """What a batch takes when the queue is full."""
    database = costs.database.of_batch(BATCH_EVENTS) / 1e6
    return Batch(
        events=BATCH_EVENTS,
        worker=costs.worker.of_batch(BATCH_EVENTS) / 1e6,
        before=database * costs.before_lock,
        after=database * (1 - costs.before_lock),
        commit=costs.commit_seconds,
        travel=costs.travel_seconds,
    )


def table(costs: Costs) -> str:
    """The guide's table."""
    head = (
        "| events a second, all day | workers | busy cores: workers, database, each broker's node "
        "| cores for the database | a full queue goes at most | by what |\n"
        "|---|---|---|---|---|---|\n"
    )
    return head + "".join(_row(plan(costs, rate)) for rate in RATES)


def _row(one: Plan) -> str:
    cores = f"{one.worker_cores:.2g}, {one.database_cores:.2g}, {one.broker_cores:.2g}"
    most = f"{one.most.rate:,.0f}/s | {one.most.limit}"
    return f"| {one.rate:,.0f} | {one.workers} | {cores} | {one.database_machine} | {most} |\n"


def read_costs() -> Costs:
    """The costs that were measured last."""
    return msgspec.json.decode(COSTS.read_bytes(), type=Costs)


def with_table(page: str, costs: Costs) -> str:
    """The page with the table of these costs between its markers."""
    begin, end = (page.index(marker) for marker in MARKERS)
    return f"{page[: begin + len(MARKERS[0])]}\n{table(costs)}{page[end:]}"


if __name__ == "__main__":
    if MEASURED.exists():
        shutil.copy(MEASURED, COSTS)
    PAGE.write_text(with_table(PAGE.read_text(), read_costs()))
