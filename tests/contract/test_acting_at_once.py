"""Operators and workers at one incident at the same time, on both databases: nothing is lost or doubled."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.actions.incident import IncidentConflictError
from faultwire_consumer.actions.verbs import Expected, act_on
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    Arguments,
    AssignArguments,
    CommentArguments,
    MergeArguments,
    MuteArguments,
    ReopenArguments,
    ResolveArguments,
    UnmergeArguments,
)
from faultwire_consumer.domain.lifecycle.decision import Act
from faultwire_consumer.domain.outcome import Outcome, Retry, Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import events, fingerprints, history, hourly, incidents
from faultwire_shared.codec import BATCH_TYPE

ROUNDS = 12

pytestmark = pytest.mark.patient("many wait for each other")


def act(arguments: Arguments, actor: str, clock: FixedClock) -> Act:
    return Act(arguments=arguments, actor=actor, at=clock(), note="at once")


async def work(store: Store, clock: FixedClock, *kinds: str) -> int:
    """One worker's events, batch after batch, each again while it goes back; how many are stored."""
    pipeline, stored = Pipeline(store, metrics=Metrics(), clock=clock), 0
    for number in range(ROUNDS):
        batch = [
            wire_event(now=clock(), fingerprint=[kind], message=f"{kind} {number}", release=f"1.{number}")
            for kind in kinds
        ]
        body, outcomes = json.dumps(batch).encode(), list[Outcome]()
        while not outcomes or any(isinstance(outcome, Retry) for outcome in outcomes):
            delivery = read_delivery(body, BATCH_TYPE, origin="test", handle=None)
            (outcomes,) = await pipeline.ingest([delivery])
        stored += sum(isinstance(outcome, Stored) for outcome in outcomes)
        await asyncio.sleep(0)
    return stored


async def operate(store: Store, clock: FixedClock, name: str, *steps: tuple[int, Arguments]) -> int:
    """One operator's verbs, again and again; how many changed something."""
    changed = 0
    for _ in range(ROUNDS):
        for incident, arguments in steps:
            try:
                acted = await act_on(store, incident, act(arguments, name, clock))
            except IncidentConflictError:
                continue
            changed += acted.outcome == "changed"
    return changed


async def rows_of(store: Store, *columns: Any) -> list[Any]:
    return list(await store.read(select(*columns)))


async def test_two_operators_and_a_worker_lose_no_update_of_one_incident(
    store: Store, clock: FixedClock
) -> None:
    assert await work(store, clock, "a") == ROUNDS
    clock.advance(1)
    stored, ana, bob = await asyncio.gather(
        work(store, clock, "a"),
        operate(store, clock, "ana", (1, AcknowledgeArguments()), (1, AssignArguments(to="ana"))),
        operate(
            store,
            clock,
            "bob",
            (1, ResolveArguments(environment="elsewhere")),
            (1, CommentArguments()),
            (1, ReopenArguments()),
            (1, MuteArguments(count=3)),
            (1, AssignArguments(to="bob")),
        ),
    )
    ((count, version, status),) = await rows_of(
        store, incidents.c.count, incidents.c.version, incidents.c.status
    )
    assert (stored, count) == (ROUNDS, 2 * ROUNDS)
    entries = [
        tuple(row)
        for row in await store.read(
            select(history.c.actor, history.c.before, history.c.after).order_by(history.c.id)
        )
    ]
    assert version == len(entries), "each entry of the history is one version more"
    assert sum(actor in ("ana", "bob") for actor, _, _ in entries) == ana + bob
    for (_, _, after), (_, before, _) in pairwise(entries):
        assert before == after, "the history is in order: each begins where the one before ended"
    assert entries[-1][2] == status


async def test_of_two_who_saw_the_same_version_one_is_told_that_the_other_was_quicker(
    store: Store, clock: FixedClock
) -> None:
    await work(store, clock, "a")
    results = await asyncio.gather(
        *(
            act_on(store, 1, act(AssignArguments(to=name), name, clock), expected=Expected(version=1))
            for name in ("ana", "bob")
        ),
        return_exceptions=True,
    )
    (refused,) = [one for one in results if isinstance(one, IncidentConflictError)]
    ((assignee, version),) = await rows_of(store, incidents.c.assignee, incidents.c.version)
    assert version == 2
    assert refused.details["changed_by"] == assignee


async def test_merges_and_unmerges_under_load_split_exactly(store: Store, clock: FixedClock) -> None:
    await work(store, clock, "a", "b", "c")
    steps = ((2, MergeArguments(into="INC-1")), (2, UnmergeArguments()))
    others = ((3, MergeArguments(into="INC-1")), (3, UnmergeArguments()), (3, MergeArguments(into="INC-2")))
    stored = await asyncio.gather(
        work(store, clock, "a", "b", "c"),
        work(store, clock, "c", "b", "a"),
        operate(store, clock, "ana", *steps),
        operate(store, clock, "bob", *others),
    )
    assert stored[0] == stored[1] == 3 * ROUNDS, "no event was lost, or stored twice"
    for incident in (3, 2, 3):
        await operate(store, clock, "ana", (incident, UnmergeArguments()))
    per_incident = dict(
        tuple(row)
        for row in await store.read(
            select(fingerprints.c.incident_id, func.sum(hourly.c.count))
            .join(hourly, hourly.c.fingerprint == fingerprints.c.fingerprint)
            .group_by(fingerprints.c.incident_id)
        )
    )
    counts = dict(tuple(row) for row in await rows_of(store, incidents.c.id, incidents.c.count))
    assert counts == {key: int(total) for key, total in per_incident.items()}
    assert counts == dict.fromkeys((1, 2, 3), 3 * ROUNDS)
    ((total,),) = await rows_of(store, func.sum(events.c.count))
    assert int(total) == 9 * ROUNDS


# SQLite's one writer registers and merges one after the other.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_fingerprint_that_joined_an_incident_just_as_it_was_merged_follows_it(
    store: Store, clock: FixedClock
) -> None:
    await work(store, clock, "a", "b")
    await act_on(store, 2, act(MergeArguments(into="INC-1"), "ana", clock))
    async with store.write() as tx:
        late = fingerprints.c.home_id == 2
        await tx.execute(update(fingerprints).where(late).values(incident_id=2))
    assert await work(store, clock, "b") == ROUNDS
    counts = dict(tuple(row) for row in await rows_of(store, incidents.c.id, incidents.c.count))
    assert counts == {1: 3 * ROUNDS, 2: 0}
