"""A bug's first event: its incident, its history and its row are one transaction, on both databases."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.fakes import BreakableStore

from faultwire_consumer.domain.outcome import DeadLettered, Outcome, Retry, Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import (
    events,
    fingerprints,
    history,
    incidents,
    producers,
    sightings,
)
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_consumer.store.schema.search import event_texts
from faultwire_shared.codec import BATCH_TYPE

WORKERS = 4
POLICY = read_policy(None)
KINDS = [f"kind {number}" for number in range(12)]


def pipeline_on(store: Store, clock: FixedClock, *, rules: bool = False) -> Pipeline:
    evaluator = Evaluator(POLICY) if rules else None
    return Pipeline(store, metrics=Metrics(), evaluator=evaluator, clock=clock)


def delivery_of(*batch: dict[str, object]) -> Delivery:
    return read_delivery(json.dumps(batch).encode(), BATCH_TYPE, origin="test", handle=None)


async def count_of(store: Store, column: Any) -> int:
    return int((await store.read(select(func.count(column))))[0][0])


@pytest.mark.parametrize("severity", ["critical", "medium"])
async def test_a_first_sight_is_one_transaction_with_all_that_follows_from_it(
    store: Store, clock: FixedClock, severity: str
) -> None:
    watched = BreakableStore(store)
    event = wire_event(now=clock(), severity=severity, producer_id="shop-1", sequence=1, release="1.0")
    (outcomes,) = await pipeline_on(watched, clock, rules=True).ingest([delivery_of(event)])
    assert [type(one) for one in outcomes] == [Stored]
    assert (watched.writes, watched.registrations) == (1, 0)
    told = outbox.c.id if severity == "critical" else pending.c.rule
    rows = (events.c.event_id, fingerprints.c.fingerprint, incidents.c.id, history.c.id, sightings.c.release)
    for column in (*rows, event_texts.c.id, producers.c.producer_id, told):
        assert await count_of(store, column) == 1, column


async def test_an_event_that_the_database_rejects_leaves_no_incident_behind(
    store: Store, clock: FixedClock
) -> None:
    refusing, event = BreakableStore(store), wire_event(now=clock(), fingerprint=["refused"])
    refusing.refused_ids.add(str(event["id"]))
    pipeline = pipeline_on(refusing, clock)
    (outcomes,) = await pipeline.ingest([delivery_of(event)])
    assert [type(one) for one in outcomes] == [DeadLettered]
    assert await count_of(store, fingerprints.c.fingerprint) == await count_of(store, incidents.c.id) == 0
    again = wire_event(now=clock(), fingerprint=["refused"])
    (outcomes,) = await pipeline.ingest([delivery_of(again)])
    assert [type(one) for one in outcomes] == [Stored]
    assert [tuple(row) for row in await store.read(select(incidents.c.count))] == [(1,)]


async def see(store: Store, clock: FixedClock, worker: int) -> None:
    """One worker's first events of all bugs, in an order of its own, each again while it goes back."""
    pipeline = pipeline_on(store, clock, rules=True)
    for number in range(len(KINDS)):
        turned = KINDS[number:] + KINDS[:number] if worker % 2 else KINDS[number::-1] + KINDS[:number:-1]
        batch = [
            wire_event(now=clock(), fingerprint=[kind], message=kind, release=f"1.{number}")
            for kind in turned[: 1 + number]
        ]
        outcomes = list[Outcome]()
        while not outcomes or any(isinstance(one, Retry) for one in outcomes):
            (outcomes,) = await pipeline.ingest([delivery_of(*batch)])
        assert {type(one) for one in outcomes} == {Stored}


@pytest.mark.patient("many wait for each other")
async def test_workers_that_see_new_bugs_together_open_one_incident_for_each(
    store: Store, clock: FixedClock
) -> None:
    await asyncio.gather(*(see(store, clock, worker) for worker in range(WORKERS)))
    rows = await store.read(select(incidents.c.count.label("events"), incidents.c.title))
    opened = await store.read(select(history.c.incident_id).where(history.c.reason == "opened"))
    assert len({row.title for row in rows}) == len(rows) == len(opened) == len(KINDS)
    expected = WORKERS * sum(range(1, len(KINDS) + 1))
    assert sum(row.events for row in rows) == await count_of(store, events.c.event_id) == expected
