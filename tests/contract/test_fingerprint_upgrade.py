"""A release that groups by another version: what was stored by the one before goes on, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.contract.test_pipeline import assert_counts_agree, batch, count_of, do_not_wait, only
from tests.contract.test_store import fingerprint_of, new, record, row
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_event

from faultwire_consumer.domain.grouping import version_1
from faultwire_consumer.ingest import registration
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read import grouping
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import fingerprints, incidents

KINDS = 12


@pytest.fixture
def earlier_release() -> Iterator[pytest.MonkeyPatch]:
    """Group by version 1 until it is undone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "compute", version_1.compute)
        yield patch


def pipeline_on(store: Store, clock: FixedClock, per_minute: int = 500) -> Pipeline:
    return Pipeline(
        store, metrics=Metrics(), new_incidents_per_minute=per_minute, clock=clock, sleep=do_not_wait
    )


async def take_in(pipeline: Pipeline, clock: FixedClock, *events: dict[str, Any]) -> None:
    await only(pipeline, batch(*(wire_event(now=clock(), **event) for event in events)))


async def counts_in(store: Store) -> list[int]:
    """The counts of the incidents, the largest first."""
    found = await store.read(select(incidents.c.count).where(incidents.c.count > 0))
    return sorted((each[0] for each in found), reverse=True)


async def versions_in(store: Store) -> list[tuple[int, int]]:
    """The version of each fingerprint, with its incident."""
    columns = (fingerprints.c.incident_id, fingerprints.c.version)
    return sorted((each.incident_id, each.version) for each in await store.read(select(*columns)))


def kinds() -> list[dict[str, Any]]:
    """Events whose keys differ between the versions, each of an incident of its own."""
    frame = {"module": "shop.orders", "in_app": True, "context": ["charge( order )"]}
    return [
        {"exceptions": [raised("KeyError", frames=[{**frame, "qualname": f"{chr(97 + number)}_step"}])]}
        for number in range(KINDS)
    ]


async def test_what_the_version_before_opened_goes_on_and_nothing_new_is_opened(
    store: Store, clock: FixedClock, earlier_release: pytest.MonkeyPatch
) -> None:
    await take_in(pipeline_on(store, clock), clock, *kinds())
    before = await versions_in(store)
    earlier_release.undo()
    after = pipeline_on(store, clock)
    for _ in range(2):
        await take_in(after, clock, *kinds())
    assert (await counts_in(store), await count_of(store)) == ([3] * KINDS, 3 * KINDS)
    await assert_counts_agree(store)
    assert await versions_in(store) == sorted([*before, *((incident, 2) for incident, _ in before)])
    total = await store.read(select(func.count()).select_from(incidents))
    assert total[0][0] == KINDS


async def test_a_key_that_a_worker_knows_never_asks_for_the_earlier_one(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_on(store, clock)
    await take_in(pipeline, clock, *kinds())
    monkeypatch.setattr(registration, "earlier_key", None)  # a call would raise
    await take_in(pipeline, clock, *kinds())
    assert await counts_in(store) == [2] * KINDS


async def test_what_the_version_before_split_goes_on_in_one_of_its_incidents(
    store: Store, clock: FixedClock, earlier_release: pytest.MonkeyPatch
) -> None:
    events = [{"message": f"Datei «{name}» fehlt"} for name in ("a", "b")]
    await take_in(pipeline_on(store, clock), clock, *events)
    assert await counts_in(store) == [1, 1]
    earlier_release.undo()
    await take_in(pipeline_on(store, clock), clock, *events, *events)
    assert await counts_in(store) == [5, 1]


async def test_what_the_version_before_put_together_stays_so_but_for_templates_without_words(
    store: Store, clock: FixedClock, earlier_release: pytest.MonkeyPatch
) -> None:
    logged = [{"message": "gave up", "template": "gave up", "tags": {"logger": name}} for name in ("a", "b")]
    hollow = [{"message": text, "template": "%s"} for text in ("connection refused", "mailbox full")]
    await take_in(pipeline_on(store, clock), clock, *logged, *hollow)
    assert await counts_in(store) == [2, 2]
    earlier_release.undo()
    await take_in(pipeline_on(store, clock), clock, *logged, *hollow)
    assert await counts_in(store) == [4, 2, 1, 1]


async def test_an_upgrade_fills_no_overflow_incident(
    store: Store, clock: FixedClock, earlier_release: pytest.MonkeyPatch
) -> None:
    await take_in(pipeline_on(store, clock), clock, *kinds())
    earlier_release.undo()
    await take_in(pipeline_on(store, clock, per_minute=1), clock, *kinds())
    assert await counts_in(store) == [2] * KINDS


async def test_a_fingerprint_joins_the_incident_of_a_known_one_and_opens_its_own_otherwise(
    store: Store,
) -> None:
    await store.register([new(1)], [])
    await store.register(
        [new(2, joins=fingerprint_of(1)), new(3, joins=fingerprint_of(1)), new(4, joins=fingerprint_of(9))],
        [],
    )
    await store.register([new(2, joins=fingerprint_of(4))], [])  # known: it stays where it is
    found = await store.read(
        select(fingerprints.c.fingerprint, fingerprints.c.incident_id, incidents.c.id).outerjoin_from(
            fingerprints, incidents, incidents.c.id == fingerprints.c.incident_id
        )
    )
    of = {each.fingerprint: each.incident_id for each in found}
    assert all(each.id is not None for each in found)
    assert of[fingerprint_of(1)] == of[fingerprint_of(2)] == of[fingerprint_of(3)] != of[fingerprint_of(4)]
    total = await store.read(select(func.count()).select_from(incidents))
    assert total[0][0] == 2
    counted = await record(store, [row(1), row(2)])
    assert [touched.count for touched in counted.touched] == [2]
