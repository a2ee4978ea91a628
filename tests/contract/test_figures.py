"""Figures follow their events exactly: whatever comes twice, late, from two workers or after a kill."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from structlog.testing import capture_logs
from tests.contract.test_store import NOW, fingerprint_of, new, record, row
from tests.tools.waiting import until

from faultwire_consumer.domain.figures.sketch import UserCount
from faultwire_consumer.domain.figures.urgency import GrowthRates, growth_of, urgency_of
from faultwire_consumer.domain.incident import Status, Transition, TransitionReason
from faultwire_consumer.maintenance.figures import PASS, FigureKeeper
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.figures.journal import fold_journal
from faultwire_consumer.store.events.figures.standing import pass_time, read_users, refresh_standing
from faultwire_consumer.store.events.transition import apply_transitions
from faultwire_consumer.store.schema.events import fingerprints, hourly, incidents
from faultwire_consumer.store.schema.figures import (
    figure_journal,
    hourly_totals,
    release_totals,
    value_counts,
)
from faultwire_consumer.store.upkeep.leases import new_holder
from faultwire_shared.event import ErrorSeverity


async def counts(store: Store, key: str, number: int = 1) -> dict[str, int]:
    rows = await store.read(
        select(value_counts.c.value, value_counts.c.count.label("total")).where(
            value_counts.c.fingerprint == fingerprint_of(number), value_counts.c.key == key
        )
    )
    return {one.value: one.total for one in rows}


async def incident(store: Store, number: int = 1) -> Any:
    return (await store.read(select(incidents).where(incidents.c.id == number)))[0]


async def rows_of(store: Store, table: Table) -> int:
    return len(await store.read(select(table)))


async def fold(store: Store, now: datetime = NOW) -> None:
    while await fold_journal(store, now=now):
        pass


async def test_values_users_and_totals_are_counted_with_the_events(store: Store) -> None:
    await store.register([new(1), new(2)], [])
    late = NOW - timedelta(hours=3)
    await record(
        store,
        [
            row(1, user="1", host="web-1", tags={"region": "eu", "paid": True}),
            row(1, user="2", release="0.9", at=late, count=40),
            row(2, severity=ErrorSeverity.CRITICAL, environment="staging", release=None),
        ],
    )
    await record(store, [row(1, user="1", tags={"region": "us", "nothing": None})])
    await fold(store)
    assert await counts(store, "release") == {"1.0": 2, "0.9": 40}
    assert await counts(store, "environment") == {"production": 42}
    assert await counts(store, "host") == {"web-1": 1}
    assert await counts(store, "tag.region") == {"eu": 1, "us": 1}
    assert await counts(store, "tag.paid") == {"true": 1}
    assert await counts(store, "tag.nothing") == {}
    assert await counts(store, "environment", 2) == {"staging": 1}
    totals = await store.read(select(hourly_totals).order_by(hourly_totals.c.hour, hourly_totals.c.severity))
    assert [tuple(one) for one in totals] == [
        (late.replace(minute=0), "billing", 3, 40),
        (NOW.replace(minute=0), "billing", 3, 2),
        (NOW.replace(minute=0), "billing", 4, 1),
    ]
    first, second = await incident(store, 1), await incident(store, 2)
    assert (first.users, first.users_exact, second.users) == (2, True, 0)
    assert first.began_at == late
    assert await rows_of(store, figure_journal) == 0


async def test_duplicates_count_nowhere_also_within_a_batch_that_has_new_ones(store: Store) -> None:
    await store.register([new()], [])
    batch = [row(user="1", tags={"n": 1}), row(user="2", tags={"n": 2})]
    await record(store, batch)
    await record(store, batch)
    await record(store, [batch[0], row(user="3", tags={"n": 3})])
    await fold(store)
    assert await counts(store, "tag.n") == {"1": 1, "2": 1, "3": 1}
    assert await counts(store, "release") == {"1.0": 3}
    assert (await incident(store)).users == 3
    assert sum(one.total for one in await totals_of(store)) == 3


async def totals_of(store: Store) -> Iterable[Any]:
    return await store.read(select(hourly_totals.c.hour, hourly_totals.c["count"].label("total")))


async def test_a_batch_that_is_rolled_back_adds_nothing(store: Store) -> None:
    await store.register([new()], [])
    await store.prepare_days(frozenset([NOW.date()]))

    async def record_and_fail() -> None:
        async with store.write() as tx:
            await tx.record_events([row()])
            raise LookupError

    with pytest.raises(LookupError):
        await record_and_fail()
    assert await rows_of(store, figure_journal) == 0


async def test_a_flood_of_one_bug_and_one_user_is_a_row_a_batch_of_a_few_bytes(store: Store) -> None:
    await store.register([new()], [])
    for _ in range(3):
        await record(store, [row(user="1", host="web-1", tags={"region": "eu"}) for _ in range(200)])
    journal = await store.read(select(figure_journal.c.body))
    assert len(journal) == 3
    assert max(len(one.body) for one in journal) < 200
    await fold(store)
    assert await counts(store, "host") == {"web-1": 600}
    assert await rows_of(store, value_counts) == 4


async def test_users_are_exact_up_to_a_thousand_and_estimated_beyond(store: Store) -> None:
    await store.register([new()], [])
    for start in range(0, 1000, 250):
        await record(store, [row(user=str(number)) for number in range(start, start + 250)])
    await fold(store)
    assert ((await incident(store)).users, (await incident(store)).users_exact) == (1000, True)
    for start in range(1000, 3000, 500):
        await record(store, [row(user=str(number)) for number in range(start, start + 500)])
    await fold(store)
    found = await incident(store)
    assert not found.users_exact
    assert 2700 < found.users < 3300


async def test_a_user_of_two_fingerprints_is_one_of_their_incident_and_of_each_once_they_part(
    store: Store,
) -> None:
    await store.register([new(1), new(2)], [])
    await record(store, [row(1, user="ann"), row(1, user="bob"), row(2, user="ann"), row(2, user="eve")])
    await fold(store)
    await move(store, fingerprint_of(2), to=1)
    await refresh_standing(store, [1, 2], now=NOW)
    assert await read_users(store, [1, 2]) == {1: UserCount(3, exact=True), 2: UserCount(0, exact=True)}
    assert (await incident(store, 1)).users == 3
    await move(store, fingerprint_of(2), to=2)
    await refresh_standing(store, [1, 2], now=NOW)
    assert ((await incident(store, 1)).users, (await incident(store, 2)).users) == (2, 2)


async def move(store: Store, fingerprint: bytes, *, to: int) -> None:
    async with store.write() as tx:
        await tx.execute(
            update(fingerprints).where(fingerprints.c.fingerprint == fingerprint).values(incident_id=to)
        )


async def test_values_beyond_the_bound_are_counted_as_other(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row(tags={"order": number}) for number in range(60)])
    await fold(store)
    await record(store, [row(tags={"order": number}) for number in range(55, 70)])
    await fold(store)
    found = await counts(store, "tag.order")
    assert len(found) == 51
    assert sum(found.values()) == 75
    assert found[""] >= 20
    assert await counts(store, "environment") == {"production": 75}


async def test_releases_know_how_many_incidents_began_and_came_back_in_them(store: Store) -> None:
    await store.register([new(1), new(2)], [])
    await record(store, [row(1, release="1.0"), row(2, release="1.0"), row(2, release="1.1")])
    await fold(store)
    await change(store, 1, Status.RESOLVED)
    after = NOW + timedelta(minutes=1)
    counted = await record(store, [row(1, release="1.1", at=after)])
    assert [touched.incident_id for touched in counted.touched] == [1]
    await change(store, 1, Status.OPEN, episode=2)
    await fold(store)
    rows = await store.read(select(release_totals).order_by(release_totals.c.release))
    assert [tuple(one) for one in rows] == [
        ("billing", "1.0", NOW, NOW, 2, 2, 0),
        ("billing", "1.1", NOW, after, 2, 0, 1),
    ]
    await record(store, [row(1, release="1.2")])
    await fold(store)
    rows = await store.read(select(release_totals).where(release_totals.c.release == "1.2"))
    assert [(one.new_incidents, one.regressed) for one in rows] == [(0, 0)]


async def change(store: Store, incident_id: int, after: Status, *, episode: int = 1) -> None:
    transition = Transition(
        incident_id=incident_id,
        before=Status.OPEN,
        after=after,
        episode=episode,
        resolved_at=NOW if after is Status.RESOLVED else None,
        reason=TransitionReason.RESOLVED,
        actor="ann",
        at=NOW,
    )
    async with store.write() as tx:
        await apply_transitions(tx, [transition])


async def test_urgency_is_right_the_moment_that_a_status_changes(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row(severity=ErrorSeverity.CRITICAL)])
    await fold(store)

    def expected(status: Status, episode: int = 1) -> int:
        return urgency_of(status, severity=4, episode=episode, growth=0, is_new=True)

    assert (await incident(store)).urgency == expected(Status.OPEN)
    for status, episode in ((Status.ACKNOWLEDGED, 1), (Status.RESOLVED, 1), (Status.OPEN, 2)):
        await change(store, 1, status, episode=episode)
        assert (await incident(store)).urgency == expected(status, episode)
        assert await refresh_standing(store, [1], now=NOW) == 0, "nothing is left to be done"


async def test_growth_and_newness_pass_without_a_single_event(store: Store) -> None:
    await store.register([new()], [])
    began = NOW - timedelta(days=3)
    await record(store, [row(at=began)])
    async with store.write() as tx:
        hours = [NOW.replace(minute=0) - timedelta(hours=back) for back in range(26)]
        await tx.execute(
            insert(hourly),
            [
                {
                    "fingerprint": fingerprint_of(),
                    "environment": "production",
                    "hour": hour,
                    "count": 100 if place < 2 else 10,
                }
                for place, hour in enumerate(hours)
            ],
        )
    await record(store, [row(at=NOW)])
    await fold(store)
    assert await pass_time(store, now=NOW) == 1
    worse = await incident(store)
    assert worse.growth > 1000
    assert worse.urgency == urgency_of("open", severity=3, episode=1, growth=worse.growth, is_new=False)
    assert await pass_time(store, now=NOW) == 0
    later = NOW + timedelta(hours=5)
    assert await pass_time(store, now=later) == 1
    assert (await incident(store)).growth == 0


async def test_an_incident_is_new_for_a_day_and_no_longer(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row(at=NOW)])
    await fold(store)
    assert (await incident(store)).is_new
    assert await pass_time(store, now=NOW + timedelta(days=1, minutes=1)) == 1
    found = await incident(store)
    assert not found.is_new
    assert found.urgency == urgency_of("open", severity=3, episode=1, growth=0, is_new=False)


async def test_incidents_from_before_the_figures_are_filled_in(store: Store) -> None:
    await store.register([new(1), new(2)], [])
    await record(store, [row(1, at=NOW - timedelta(days=40)), row(1, count=20)])
    async with store.write() as tx:
        await tx.execute(delete(figure_journal))
    await pass_time(store, now=NOW)
    found = await incident(store)
    assert found.began_at == NOW - timedelta(days=40)
    assert found.count_class == 16
    assert found.growth == growth_of(GrowthRates(20, 0), began_at=NOW - timedelta(days=40), now=NOW)
    assert found.urgency == urgency_of("open", severity=3, episode=1, growth=found.growth, is_new=False)
    assert (await incident(store, 2)).began_at is None, "it was never counted, and is not shown"


async def test_a_journal_row_that_cannot_be_read_stops_nobody_and_is_told(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row()])
    async with store.write() as tx:
        await tx.execute(insert(figure_journal).values(body=b"\xc1 nothing that was ever written"))
    await record(store, [row()])
    with capture_logs() as lines:
        await fold(store)
    assert [line["event"] for line in lines] == ["figures.unreadable"]
    assert await counts(store, "release") == {"1.0": 2}


async def test_two_who_add_at_once_count_everything_once(database_url: str, store: Store) -> None:
    await store.register([new()], [])
    others = [store]
    if store.name == "postgresql":
        others += [await open_store(database_url) for _ in range(2)]
    try:
        for number in range(8):
            await record(store, [row(user=str(number)) for _ in range(5)])
            await asyncio.gather(*(fold_journal(one, now=NOW) for one in others))
        await fold(store)
    finally:
        for other in others[1:]:
            await other.close()
    assert await counts(store, "release") == {"1.0": 40}
    assert (await incident(store)).users == 8


async def test_the_keeper_adds_what_waits_and_lets_time_pass_once_a_minute(store: Store) -> None:
    await store.register([new()], [])
    now = [NOW]
    keeper = FigureKeeper(store, new_holder(), metrics=Metrics(), clock=lambda: now[0])
    await record(store, [row(at=NOW)])
    await keeper.run_once()
    assert (await incident(store)).is_new
    now[0] += timedelta(days=2)
    await keeper.run_once()
    assert not (await incident(store)).is_new
    await record(store, [row(1, user="1")])
    now[0] += PASS / 2
    await keeper.run_once()
    assert (await incident(store)).users == 1


async def test_a_keeper_that_is_woken_adds_without_being_asked(store: Store) -> None:
    await store.register([new()], [])

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    keeper = FigureKeeper(store, new_holder(), metrics=Metrics(), clock=lambda: NOW, sleep=at_once)
    running = asyncio.create_task(keeper.run())
    try:
        await record(store, [row(user="1")])
        keeper.wake()

        async def is_added() -> bool:
            return bool((await incident(store)).users)

        await until(is_added, "it is added")
    finally:
        running.cancel()
        await asyncio.wait({running})
