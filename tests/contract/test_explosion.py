"""Many incidents at once: one bug is one however its text differs, and what truly differs is bounded."""

import os

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs
from tests.contract.test_pipeline import assert_counts_agree, batch, count_of, do_not_wait, only
from tests.tools.clock import FixedClock
from tests.tools.factories import raised, wire_event
from tests.tools.usage import resident_mib

from faultwire_consumer.domain.incident_limit import NEW_SERVICES_PER_MINUTE, OVERFLOW_CODE
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import get_grouping
from faultwire_consumer.store.events.incidents import list_environments
from faultwire_consumer.store.schema.events import incidents

PER_MINUTE = 20


def pipeline_on(store: Store, clock: FixedClock, metrics: Metrics | None = None) -> Pipeline:
    return Pipeline(
        store,
        metrics=metrics or Metrics(),
        new_incidents_per_minute=PER_MINUTE,
        clock=clock,
        sleep=do_not_wait,
    )


def differing(
    clock: FixedClock, number: int, *, kind: str = "KeyError", service: str = "shop"
) -> dict[str, object]:
    """An event that shares its fingerprint with no other number."""
    name = str(number).translate(str.maketrans("0123456789", "abcdefghij"))  # a number in a name is none
    exceptions = [raised(kind, qualname=f"step_{name}")]
    return wire_event(now=clock(), service=service, exceptions=exceptions)


async def incidents_in(store: Store) -> int:
    found = await store.read(select(func.count()).select_from(incidents).where(incidents.c.count > 0))
    return int(found[0][0])


async def test_five_thousand_messages_of_one_bug_are_one_incident(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    for part in range(10):
        numbers = range(part * 500, part * 500 + 500)
        texts = [
            f"user {number * 199} failed at 10:{number % 60:02d} for order {number}" for number in numbers
        ]
        await only(pipeline, batch(*(wire_event(now=clock(), message=text) for text in texts)))
    assert (await incidents_in(store), await count_of(store)) == (1, 5_000)


async def test_beyond_its_number_a_minute_one_incident_takes_the_rest_and_counts_it(
    store: Store, clock: FixedClock
) -> None:
    metrics = Metrics()
    pipeline = pipeline_on(store, clock, metrics)
    with capture_logs() as lines:
        for part in range(5):
            await only(pipeline, batch(*(differing(clock, part * 30 + one) for one in range(30))))
            clock.advance(1)
    assert (await incidents_in(store), await count_of(store)) == (PER_MINUTE + 1, 150)
    await assert_counts_agree(store)
    (overflow,) = await store.read(
        select(incidents, incidents.c.count.label("n")).where(incidents.c.code == OVERFLOW_CODE)
    )
    assert (overflow.n, overflow.service) == (150 - PER_MINUTE, "shop")
    assert "KeyError" in overflow.title
    assert metrics.registry.get_sample_value("faultwire_events_overflowed_total") == 150 - PER_MINUTE
    assert [line["event"] for line in lines].count("incident.overflowed") == 1


async def test_of_services_never_heard_of_only_so_many_a_minute_get_incidents(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, batch(wire_event(now=clock(), service="known")))
    names = [f"invented {number}" for number in range(NEW_SERVICES_PER_MINUTE + 50)]
    with capture_logs() as lines:
        for start in range(0, len(names), 125):
            part = names[start : start + 125]
            await only(pipeline, batch(*(wire_event(now=clock(), service=one) for one in part)))
    (overflow,) = await store.read(
        select(incidents, incidents.c.count.label("n")).where(incidents.c.code == OVERFLOW_CODE)
    )
    assert (overflow.service, overflow.n) == ("faultwire", 51)
    assert [line["event"] for line in lines].count("service.overflowed") == 1
    await only(pipeline, batch(differing(clock, 1, service="known"), differing(clock, 2, service=names[-1])))
    assert await incidents_in(store) == NEW_SERVICES_PER_MINUTE + 2, "known ones are never diverted"
    clock.advance(3600)
    await only(pipeline_on(store, clock), batch(differing(clock, 3, service=names[-1])))
    assert await incidents_in(store) == NEW_SERVICES_PER_MINUTE + 3
    await assert_counts_agree(store)


async def test_an_incident_s_environments_are_listed_up_to_a_number(store: Store, clock: FixedClock) -> None:
    sent = [wire_event(now=clock(), environment=f"e{number}") for number in range(210)]
    await only(pipeline_on(store, clock), batch(*sent))
    environments = await list_environments(store, 1)
    assert (len(environments.names), environments.more) == (200, 10)


async def test_an_overflowed_event_says_why_it_is_where_it_is(store: Store, clock: FixedClock) -> None:
    sent = [differing(clock, number) for number in range(PER_MINUTE + 1)]
    await only(pipeline_on(store, clock), batch(*sent))
    grouping = await get_grouping(store, str(sent[-1]["id"]))
    assert grouping is not None
    assert grouping.parts == ("service shop", "overflow of new incidents", "type KeyError")


async def test_what_is_known_is_never_diverted_though_the_worker_has_just_started(
    store: Store, clock: FixedClock
) -> None:
    known = [differing(clock, number) for number in range(PER_MINUTE)]
    await only(pipeline_on(store, clock), batch(*known))
    restarted = pipeline_on(store, clock)
    await only(restarted, batch(*(differing(clock, 1_000 + number) for number in range(PER_MINUTE * 2))))
    again = [differing(clock, number) for number in range(PER_MINUTE)]
    await only(restarted, batch(*again))
    for one in again:
        grouping = await get_grouping(store, str(one["id"]))
        assert grouping is not None
        assert "overflow of new incidents" not in grouping.parts
    assert await incidents_in(store) == PER_MINUTE * 2 + 1


async def test_other_types_and_services_are_not_held_back(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, batch(*(differing(clock, number) for number in range(PER_MINUTE * 2))))
    await only(pipeline, batch(differing(clock, 1, kind="OSError"), differing(clock, 2, service="billing")))
    assert await incidents_in(store) == PER_MINUTE + 1 + 2


async def test_a_minute_later_new_incidents_open_again(store: Store, clock: FixedClock) -> None:
    pipeline = pipeline_on(store, clock)
    await only(pipeline, batch(*(differing(clock, number) for number in range(PER_MINUTE * 2))))
    clock.advance(61)
    await only(pipeline, batch(differing(clock, 5_000)))
    assert await incidents_in(store) == PER_MINUTE + 2


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.may_block("reads its own memory from /proc")
async def test_a_hundred_thousand_different_errors_in_a_minute_are_counted_and_held_in_bounded_memory(
    store: Store, clock: FixedClock
) -> None:
    pipeline, after_a_third = pipeline_on(store, clock), 0.0
    for start in range(0, 100_000, 500):
        if start == 33_000:  # by now the cache of stacks and SQLite's of pages are full
            after_a_third = resident_mib(os.getpid())
        await only(pipeline, batch(*(differing(clock, start + number) for number in range(500))))
    assert resident_mib(os.getpid()) - after_a_third < 32
    assert (await incidents_in(store), await count_of(store)) == (PER_MINUTE + 1, 100_000)


async def test_of_places_and_services_a_worker_remembers_hashes_and_no_texts(
    store: Store, clock: FixedClock
) -> None:
    pipeline, wide = pipeline_on(store, clock), "\N{PILE OF POO}" * 190
    named = [f"{number}{wide}" for number in range(5)]
    events = [
        wire_event(now=clock(), service=name, environment=name, release=name, message="one") for name in named
    ]
    await only(pipeline, batch(*events))
    places, services = pipeline._registration._places, pipeline._registration._services
    assert [type(one) for one in places] == [int] * 5, "200,000 such texts would be 200 MiB and more"
    assert [len(one) for one in services] == [16] * 5
