"""What releases did, and the incidents that began or came back in one, on both databases."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import update
from tests.contract.test_figures import fold
from tests.contract.test_store import NOW, fingerprint_of, new, record, row

from faultwire_consumer.domain.figures.release_rates import ReleaseRates
from faultwire_consumer.domain.incident import Status, Transition, TransitionReason
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.store.contract.store import EventRow, Place, Store
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.figures.releases import (
    ReleaseEffect,
    ReleaseTotal,
    list_releases,
    read_effects,
)
from faultwire_consumer.store.events.incidents import list_incidents
from faultwire_consumer.store.events.transition import apply_transitions
from faultwire_consumer.store.schema.events import fingerprints, incidents
from faultwire_shared.event import ErrorSeverity

HOUR: Final = timedelta(hours=1)


async def keep(store: Store, rows: list[EventRow]) -> None:
    """Store events as the pipeline does, which tells first where they were seen."""
    await store.register([], [Place(one.fingerprint, one.environment, one.release or "") for one in rows])
    await record(store, rows)


async def effects_of(store: Store, *services: str) -> dict[str, tuple[ReleaseTotal, ReleaseEffect]]:
    rows = (await list_releases(store, services=services, limit=50)).rows
    effects = await read_effects(store, rows, now=NOW)
    return {one.release: (one, effects[one.key]) for one in rows}


async def found_by(store: Store, query: str) -> set[int]:
    page = await list_incidents(store, parse_query(query), limit=50, now=NOW)
    return {one.id for one in page.rows}


async def came_back(store: Store, incident_id: int, release: str | None) -> None:
    transition: dict[str, Any] = {
        "incident_id": incident_id,
        "before": Status.RESOLVED,
        "after": Status.OPEN,
        "episode": 2,
        "resolved_at": None,
        "actor": "worker",
        "at": NOW,
    }
    async with store.write() as tx:
        back = Transition(reason=TransitionReason.REGRESSED, release=release, **transition)
        await apply_transitions(tx, [back])


async def register(store: Store, *numbers: int) -> None:
    """One after the other: of several at once PostgreSQL 17 numbers whichever it comes to first."""
    for number in numbers:
        await store.register([new(number)], [])


async def test_an_incident_is_found_by_the_release_of_its_first_event_whenever_that_arrives(
    store: Store,
) -> None:
    await register(store, 1, 2, 3)
    await keep(store, [row(1, release="1.1"), row(2, release="1.0", at=NOW - HOUR), row(3, release=None)])
    await keep(store, [row(2, release="1.1"), row(3, release="1.1", at=NOW + HOUR)])
    await fold(store)
    assert await found_by(store, "first-release:1.1") == {1}
    assert await found_by(store, "first-release:1.0") == {2}
    assert await found_by(store, "first-release:1.*") == {1, 2}
    assert await found_by(store, "service:billing -first-release:1.1") == {2, 3}
    assert await found_by(store, "first-release:1.1 service:orders") == set()
    assert await found_by(store, "first-release:2.0,1.0") == {2}
    await keep(store, [row(1, release="1.0", at=NOW - 2 * HOUR)])
    await fold(store)
    assert await found_by(store, "first-release:1.0") == {1, 2}, "one came late, and is older"
    assert await found_by(store, "first-release:1.1") == set()
    events = await list_events(store, parse_query("first-release:1.0 release:1.1"), limit=9, now=NOW)
    assert {one.incident_id for one in events.rows} == {1, 2}


async def test_what_was_merged_began_with_its_oldest_event(store: Store) -> None:
    await register(store, 1, 2)
    await keep(store, [row(1, release="1.1"), row(2, release="1.0", at=NOW - HOUR)])
    await fold(store)
    async with store.write() as tx:
        moved = fingerprints.c.fingerprint == fingerprint_of(2)
        await tx.execute(update(fingerprints).where(moved).values(incident_id=1))
        await tx.execute(update(incidents).where(incidents.c.id == 1).values(first_seen_at=NOW - HOUR))
    assert await found_by(store, "first-release:1.0") == {1}
    assert await found_by(store, "first-release:1.1") == set()


async def test_an_incident_is_found_by_the_releases_in_which_it_came_back(store: Store) -> None:
    await register(store, 1, 2, 3)
    await keep(store, [row(1), row(2), row(3)])
    await came_back(store, 1, "2.0")
    await came_back(store, 1, "2.1")
    await came_back(store, 2, None)
    assert await found_by(store, "regressed-release:2.0") == {1}
    assert await found_by(store, "regressed-release:2.*") == {1}
    assert await found_by(store, "regressed-release:1.0,2.1") == {1}
    assert await found_by(store, "-regressed-release:2.0") == {2, 3}
    events = await list_events(store, parse_query("regressed-release:2.1"), limit=9, now=NOW)
    assert {one.incident_id for one in events.rows} == {1}


async def test_a_release_tells_what_ended_with_it_and_how_the_rate_changed(store: Store) -> None:
    await register(store, 1, 2, 3)
    first, second = NOW - 30 * HOUR, NOW - 5 * HOUR
    await keep(
        store,
        [
            row(1, release="1.0", at=first, count=24),
            row(2, release="1.0", at=first + 2 * HOUR),
            row(3, release="1.0", at=first - 50 * HOUR, count=9),
            row(1, release="1.1", at=second, count=60),
        ],
    )
    await fold(store)
    found = await effects_of(store, "billing")
    (old, before), (newest, after) = found["1.0"], found["1.1"]
    assert (old.previous_at, old.next_at) == (None, second)
    assert (newest.previous_at, newest.next_at) == (first - 50 * HOUR, None)
    assert (before.ended, before.worse) == (None, None)
    assert (after.ended, after.worse) == (2, 0)
    hours = (NOW - second.replace(minute=0, second=0)) / HOUR
    assert after.rates == ReleaseRates(round(1 / 24, 2), round(60 / hours, 2), is_worse=True)
    assert before.rates.before is None
    since, until = (f'"{moment.isoformat()}"' for moment in (first - 50 * HOUR, second))
    assert await found_by(store, f"service:billing last:{since} -last:{until}") == {2, 3}


async def test_the_worst_of_a_release_is_the_most_severe_then_the_most_frequent_in_it(store: Store) -> None:
    await register(store, 1, 2, 3)
    await keep(
        store,
        [
            row(1, release="1.0", severity=ErrorSeverity.CRITICAL, at=NOW - HOUR),
            row(2, release="1.0", count=50, at=NOW - HOUR),
            row(2, release="1.1", count=2),
            row(3, release="1.1", count=3),
            row(3, release="1.1", environment="staging", count=3),
        ],
    )
    await fold(store)
    async with store.write() as tx:
        await tx.execute(update(incidents).where(incidents.c.id == 3).values(growth=400))
    found = await effects_of(store)
    worst = found["1.0"][1].worst
    assert worst is not None
    assert (worst.id, worst.severity, worst.count) == (1, ErrorSeverity.CRITICAL, 1)
    worst = found["1.1"][1].worst
    assert worst is not None
    assert (worst.id, worst.title, worst.count) == (3, "Error 3", 6)
    assert (found["1.0"][1].worse, found["1.1"][1].worse) == (None, 1)


async def test_releases_of_one_name_are_each_services_own(store: Store) -> None:
    await register(store, 1, 2)
    await keep(store, [row(1, release="1.0"), row(2, release="1.0", service="orders")])
    async with store.write() as tx:
        await tx.execute(update(incidents).where(incidents.c.id == 2).values(service="orders"))
    await fold(store)
    rows = (await list_releases(store, services=(), limit=50)).rows
    effects = await read_effects(store, rows, now=NOW)
    worst = {one.service: effects[one.key].worst for one in rows}
    assert {service: one and one.id for service, one in worst.items()} == {"billing": 1, "orders": 2}


async def test_no_release_is_no_question(store: Store) -> None:
    assert await read_effects(store, (), now=NOW) == {}


@pytest.mark.parametrize("count", [1, 50])
async def test_a_page_of_first_releases_has_nothing_that_ended(store: Store, count: int) -> None:
    moment: datetime = NOW
    rows = [
        ReleaseTotal(
            service=f"s{number}",
            release="1",
            first_seen_at=moment,
            last_seen_at=moment,
            count=1,
            new_incidents=1,
            regressed=0,
            previous_at=None,
            next_at=None,
            key=f"s{number}\n1",
        )
        for number in range(count)
    ]
    effects = await read_effects(store, rows, now=NOW)
    assert {(one.ended, one.worse, one.worst) for one in effects.values()} == {(None, 0, None)}
