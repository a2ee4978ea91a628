"""What an event costs each part, and whether the model that is made of it says what several workers do."""

import os
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from tests.benchmarks import cost, drain
from tests.benchmarks.explained import commit_seconds, explain
from tests.benchmarks.report import report
from tests.benchmarks.simulation import Site, simulate
from tests.benchmarks.sizing import MEASURED, Costs, Part, full_batch, touched
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes

from faultwire_consumer.ingest.receive.lane import BATCH_EVENTS

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

SECONDS: Final = float(os.environ.get("BENCH_COST_SECONDS", "20"))
SLOW: Final = 100.0
BETWEEN: Final = 400.0
FAST: Final = 1_000.0
EVENTS: Final = 60_000
CREWS: Final = (1, 2, 4)
CORES: Final = len(os.sched_getaffinity(0))
ROOM_SECONDS: Final = 0.0003
"""There and back between two machines of one room, for one statement: assumed, not measured here."""


def fit(rest: cost.Cost, loads: Sequence[cost.Cost], name: str) -> Part:
    """What is spent for an event, an incident, a batch and at rest: the best fit that is not negative."""
    at_rest = float(getattr(rest, name)) / rest.seconds
    rows = [(1.0, touched(one.batch) / one.batch, 1 / one.batch) for one in loads]
    spent = [max(0.0, float(getattr(one, name)) - at_rest * one.seconds) / one.events for one in loads]
    an_event, an_incident, a_batch = (value * 1e6 for value in solve(rows, spent))
    return Part(an_event, an_incident, a_batch, at_rest * 1e6)


def solve(rows: Sequence[Sequence[float]], wanted: Sequence[float]) -> list[float]:
    """The non-negative least squares, one unknown after the other until nothing moves."""
    found = [0.0] * len(rows[0])
    for _ in range(20_000):
        for place in range(len(found)):
            left = [
                want - sum(row[other] * found[other] for other in range(len(found)) if other != place)
                for row, want in zip(rows, wanted, strict=True)
            ]
            square = sum(row[place] ** 2 for row in rows)
            along = sum(row[place] * one for row, one in zip(rows, left, strict=True))
            found[place] = max(0.0, along / square)
    return found


def measure(nodes: Nodes, servers: Servers) -> tuple[Costs, dict[str, cost.Cost]]:
    """The costs, and the loads by how they came; the second is none of those that the costs are made of."""
    with drain.fresh_place(nodes, servers) as place:
        cost.prepare(place)
        rest = cost.at_rest(place, SECONDS)
        slow, between, fast = (cost.at_a_rate(place, rate, SECONDS) for rate in (SLOW, BETWEEN, FAST))
        full = cost.saturated(place, EVENTS, a_message=1)
        commit = commit_seconds(place.database)
        transaction = explain(place.database)
    loads = (slow, fast, full)
    broker = (fast.broker - rest.broker / rest.seconds * fast.seconds) / fast.events * 1e6
    costs = Costs(
        worker=fit(rest, loads, "worker"),
        database=fit(rest, loads, "database"),
        broker=Part(broker, 0.0, 0.0, rest.broker / rest.seconds * 1e6),
        before_lock=transaction.before_lock,
        commit_seconds=commit,
        travel_seconds=transaction.statements * ROOM_SECONDS,
    )
    steady = {f"{rate:,.0f} a second": one for rate, one in ((SLOW, slow), (BETWEEN, between), (FAST, fast))}
    return costs, steady | {"from a full queue": full}


def test_costs_of_an_event_by_part(nodes: Nodes, servers: Servers) -> None:
    costs, loads = measure(nodes, servers)
    between = loads[f"{BETWEEN:,.0f} a second"]
    MEASURED.parent.mkdir(parents=True, exist_ok=True)
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=2) + b"\n")
    for text, one in loads.items():
        report(f"model: bytes of log an event, {text}", "none", [one.log_bytes / one.events])
    for name in ("worker", "database", "broker"):
        part: Part = getattr(costs, name)
        parts = {"us an incident": [part.an_incident], "us a batch": [part.a_batch]}
        report(f"model: {name}'s CPU an event, us", "none", [part.an_event], parts)
        said, found = part.cores(between.rate, between.batch), getattr(between, name) / between.seconds
        report(f"model: {name} at {BETWEEN:,.0f} events/s, said / measured", "none", [said / found])


def test_the_model_against_several_workers_on_this_machine(nodes: Nodes, servers: Servers) -> None:
    costs = msgspec.json.decode(MEASURED.read_bytes(), type=Costs)
    # Half of what a message costs a broker is its arrival, and the queue is full before the workers begin.
    broker = costs.broker.an_event / 2 * BATCH_EVENTS / 1e6
    batch = msgspec.structs.replace(full_batch(costs), travel=0.0, broker=broker)
    for workers in CREWS:
        with drain.fresh_place(nodes, servers) as place:
            cost.prepare(place)
            found = cost.saturated(place, EVENTS * workers, workers=workers, a_message=1)
            drain.check_counts(place, "faultwire.incidents", EVENTS * workers)
        said = simulate(Site(workers, CORES, shared_cores=CORES), batch, one_bug=True)
        seen = {"events/s": [found.rate], "said": [said.rate]}
        report(
            f"model: {workers} workers on {CORES} cores, said / measured",
            "none",
            [said.rate / found.rate],
            seen,
        )
