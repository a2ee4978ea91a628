"""The loss audit on both databases: what did not arrive is told, and taken back when it comes."""

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, select, text
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_body, wire_event
from tests.tools.migrating import upgrade

from faultwire_consumer.domain.outcome import DeadLettered, Noted, must_return
from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.receive.dead_queue import DeadDelivery, DeadQueue, death_in
from faultwire_consumer.maintenance.gaps import GapWatch, Ingest
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.producers import GAPS_MAX
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations import migrate, schema_version
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import history, incidents, producers, sequence_gaps
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE


def numbered(clock: FixedClock, sequence: int, producer: str = "p1", **fields: Any) -> dict[str, Any]:
    return wire_event(now=clock(), producer_id=producer, sequence=sequence, **fields)


def batch(*members: dict[str, Any]) -> Delivery:
    return read_delivery(json.dumps(members).encode(), BATCH_TYPE, origin="test", handle=None)


def report(last: int, producer: str = "p1", **fields: Any) -> Delivery:
    document = {
        "producer_id": producer,
        "service": "billing",
        "host": "web-3",
        "started_at": "2026-11-23T10:00:00Z",
        "last_sequence": last,
    }
    body = json.dumps(document | fields).encode()
    return read_delivery(body, PRODUCER_TYPE, origin="test", handle=None)


def pipeline_on(store: Store, clock: FixedClock) -> Pipeline:
    return Pipeline(store, metrics=Metrics(), clock=clock)


def watch_on(store: Store, clock: FixedClock, metrics: Metrics | None = None) -> GapWatch:
    ingest = ingesting(pipeline_on(store, clock))
    return GapWatch(store, ingest, metrics=metrics or Metrics(), clock=clock)


def ingesting(pipeline: Pipeline) -> Ingest:
    async def ingest(body: bytes) -> bool:
        (outcomes,) = await pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="test", handle=None)])
        return not must_return(outcomes)

    return ingest


async def gaps_of(store: Store, state: GapState = GapState.OPEN) -> list[tuple[str, int, int]]:
    table = sequence_gaps.c
    rows = await store.read(
        select(table.producer_id, table.first, table.last)
        .where(table.state == state.value)
        .order_by(table.producer_id, table.first)
    )
    return [tuple(row) for row in rows]


async def told(store: Store) -> Sequence[Any]:
    return await store.read(
        select(incidents).where(incidents.c.service == "faultwire").order_by(incidents.c.id)
    )


async def test_numbers_that_did_not_arrive_are_gaps_and_late_ones_close_them(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await pipeline.ingest([batch(*(numbered(clock, n) for n in (1, 2, 5, 9)))])
    assert await gaps_of(store) == [("p1", 3, 4), ("p1", 6, 8)]
    await pipeline.ingest([batch(numbered(clock, 7), numbered(clock, 4), numbered(clock, 1, "p2"))])
    assert await gaps_of(store) == [("p1", 3, 3), ("p1", 6, 6), ("p1", 8, 8)]
    await pipeline.ingest([batch(*(numbered(clock, n) for n in (3, 6, 8)))])
    assert await store.read(select(sequence_gaps.c.id)) == []
    rows = await store.read(select(producers).order_by(producers.c.producer_id))
    assert [(row.producer_id, row.last_sequence, row.gaps) for row in rows] == [("p1", 9, 0), ("p2", 1, 0)]


async def test_parallel_workers_and_redelivery_leave_exactly_what_was_removed(
    store: Store, clock: FixedClock
) -> None:
    dice = random.Random(17)
    removed = {("a", 13), ("a", 14), ("b", 1), ("c", 60)}
    events = [
        numbered(clock, n, producer)
        for producer in "abc"
        for n in range(1, 61)
        if (producer, n) not in removed
    ]
    events += dice.sample(events, 40)
    dice.shuffle(events)
    workers = [pipeline_on(store, clock) for _ in range(4)]
    batches = [events[start : start + 11] for start in range(0, len(events), 11)]
    await asyncio.gather(
        *(workers[index % 4].ingest([batch(*one)]) for index, one in enumerate(batches)),
        *(workers[index].ingest([report(60, producer)]) for index, producer in enumerate("abc")),
    )
    assert await gaps_of(store) == [("a", 13, 14), ("b", 1, 1), ("c", 60, 60)]


async def test_a_dead_letter_arrived_and_is_not_missing(store: Store, clock: FixedClock) -> None:
    bad = numbered(clock, 2, tags="none")
    await pipeline_on(store, clock).ingest([batch(numbered(clock, 1), bad, numbered(clock, 3))])
    assert await gaps_of(store) == []


async def test_a_report_proves_numbers_and_explains_what_its_producer_lost(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    await pipeline.ingest([batch(numbered(clock, 1))])
    lost = [
        {"reason": "buffer_full", "count": 2, "from": 4, "to": 5},
        {"reason": "dropped_by_processor", "count": 9, "from": 0, "to": 0},
    ]
    ((outcome,),) = await pipeline.ingest([report(8, lost=lost, spool_depth=7)])
    assert outcome == Noted("p1")
    assert await gaps_of(store) == [("p1", 2, 3), ("p1", 6, 8)]
    assert await gaps_of(store, GapState.REPORTED) == [("p1", 4, 5)]
    (row,) = await store.read(select(producers))
    assert (row.host, row.spool_depth, row.last_report_at) == ("web-3", 7, clock())
    assert row.started_at == clock() - timedelta(hours=2)
    assert json.loads(row.lost) == {"buffer_full": 2, "dropped_by_processor": 9}
    await pipeline.ingest([report(8, lost=lost)])
    assert await gaps_of(store, GapState.REPORTED) == [("p1", 4, 5)]


@pytest.mark.parametrize(
    "fields",
    [{"producer_id": ""}, {"last_sequence": -1}, {"lost": [{"reason": "x", "count": 1, "from": 5, "to": 4}]}],
)
async def test_a_report_that_cannot_be_read_is_a_dead_letter(
    store: Store, clock: FixedClock, fields: dict[str, Any]
) -> None:
    ((outcome,),) = await pipeline_on(store, clock).ingest([report(1, **fields)])
    assert isinstance(outcome, DeadLettered)
    assert [row.reason for row in await store.read(select(dead_letters.c.reason))] == ["invalid_event"]


async def test_a_missing_event_is_told_within_a_minute_and_taken_back_when_it_is_replayed(
    store: Store, clock: FixedClock
) -> None:
    pipeline, metrics = pipeline_on(store, clock), Metrics()
    watch = watch_on(store, clock, metrics)
    removed = batch(numbered(clock, 2))
    await pipeline.ingest([batch(numbered(clock, 1), numbered(clock, 3))])
    clock.advance(29)
    await watch.run_once()
    assert await told(store) == []
    clock.advance(2)
    await watch.run_once()
    (incident,) = await told(store)
    assert (incident.code, incident.severity, incident.status) == ("SEQUENCE_GAP", 3, "open")
    assert incident.title == "event 2 of producer p1 (billing) did not arrive"
    assert metrics.sequence_gap_events._value.get() == 1
    await watch.run_once()
    assert (await told(store))[0].count == 1

    clock.advance(5)
    await pipeline.ingest([removed])
    await watch.run_once()
    (incident,) = await told(store)
    assert (incident.status, incident.resolved_at) == ("resolved", clock())
    assert metrics.sequence_gap_events._value.get() == 0
    entries = await store.read(
        select(history).where(history.c.incident_id == incident.id).order_by(history.c.id)
    )
    assert [(entry.reason, entry.actor) for entry in entries] == [
        ("opened", "worker"),
        ("resolved", "worker"),
    ]

    clock.advance(5)
    await pipeline.ingest([batch(numbered(clock, 9))])
    clock.advance(31)
    await watch.run_once()
    (incident,) = await told(store)
    assert (incident.status, incident.episode, incident.count) == ("open", 2, 2)


async def test_an_incident_stays_open_until_its_last_gap_closes(store: Store, clock: FixedClock) -> None:
    pipeline, watch = pipeline_on(store, clock), watch_on(store, clock)
    await pipeline.ingest([batch(numbered(clock, 1), numbered(clock, 5), numbered(clock, 7, "p2"))])
    clock.advance(31)
    await watch.run_once()
    assert [row.title.split(" (")[0] for row in await told(store)] == [
        "events 2 to 4 of producer p1",
        "events 1 to 6 of producer p2",
    ]
    await pipeline.ingest([batch(numbered(clock, 3))])
    await watch.run_once()
    assert [row.status for row in await told(store)] == ["open", "open"]
    await pipeline.ingest([batch(numbered(clock, 2)), report(5, lost=[lost(4)])])
    await watch.run_once()
    assert [row.status for row in await told(store)] == ["resolved", "open"]
    assert [row.count for row in await told(store)] == [1, 1]


def lost(number: int) -> dict[str, Any]:
    return {"reason": "shutdown", "count": 1, "from": number, "to": number}


async def test_what_a_restore_took_from_many_producers_is_one_incident_until_all_of_it_came(
    store: Store, clock: FixedClock
) -> None:
    pipeline, watch = pipeline_on(store, clock), watch_on(store, clock)
    producers_ = [f"p{number}" for number in range(8)]
    await pipeline.ingest([batch(*(numbered(clock, 1, one) for one in producers_))])
    await pipeline.ingest([report(1, one) for one in producers_])
    clock.advance(600)
    for one in producers_:
        await pipeline.ingest([batch(numbered(clock, 5, one))])
        clock.advance(2)
    clock.advance(31)
    await watch.run_once()
    (incident,) = await told(store)
    assert incident.count == 8
    assert (
        "what came after 2026-11-23 12:00:00 UTC and before 2026-11-23 12:10:00 UTC is missing"
        in incident.title
    )
    late = [numbered(clock, n, one) for n in (2, 3, 4) for one in producers_]
    await pipeline.ingest([batch(*late[:-1])])
    await watch.run_once()
    assert [row.status for row in await told(store)] == ["open"]
    await pipeline.ingest([batch(late[-1])])
    await watch.run_once()
    assert [row.status for row in await told(store)] == ["resolved"]


async def test_losses_at_other_times_stay_incidents_of_their_own(store: Store, clock: FixedClock) -> None:
    pipeline, watch = pipeline_on(store, clock), watch_on(store, clock)
    for one in ("p1", "p2", "p3"):
        await pipeline.ingest([batch(numbered(clock, 2, one)), report(2, one)])
        clock.advance(61)
        await watch.run_once()
    assert [row.count for row in await told(store)] == [1, 1, 1]


async def test_two_workers_tell_of_a_gap_once(store: Store, clock: FixedClock) -> None:
    await pipeline_on(store, clock).ingest([batch(numbered(clock, 2))])
    clock.advance(31)
    await asyncio.gather(*(watch_on(store, clock).run_once() for _ in range(3)))
    (incident,) = await told(store)
    assert incident.count == 1


async def test_a_gap_that_closes_while_it_is_told_of_is_taken_back(store: Store, clock: FixedClock) -> None:
    pipeline, removed = pipeline_on(store, clock), batch(numbered(clock, 1))
    await pipeline.ingest([batch(numbered(clock, 2))])
    clock.advance(31)

    async def ingest(body: bytes) -> bool:
        await pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="test", handle=None)])
        await pipeline.ingest([removed])
        return True

    await GapWatch(store, ingest, metrics=Metrics(), clock=clock).run_once()
    (incident,) = await told(store)
    assert incident.status == "resolved"


async def test_what_may_lie_in_a_spool_is_not_told_while_its_producer_says_so(
    store: Store, clock: FixedClock
) -> None:
    watch = watch_on(store, clock)
    await pipeline_on(store, clock).ingest([report(3, spool_depth=3)])
    clock.advance(60)
    await watch.run_once()
    assert await told(store) == []
    clock.advance(300)
    await watch.run_once()
    assert len(await told(store)) == 1


async def test_a_producer_that_numbers_by_chance_is_followed_within_bounds(
    store: Store, clock: FixedClock
) -> None:
    pipeline, total = pipeline_on(store, clock), 4 * GAPS_MAX
    odd = [numbered(clock, number) for number in range(1, total, 2)]
    for start in range(0, len(odd), 250):
        await pipeline.ingest([batch(*odd[start : start + 250])])
    (row,) = await store.read(select(producers))
    assert (row.gaps, row.unfollowed) == (GAPS_MAX, total // 2 - 1 - GAPS_MAX)
    assert len(await gaps_of(store)) == GAPS_MAX
    await pipeline.ingest([batch(*(numbered(clock, number) for number in range(2, 100, 2)))])
    assert not {
        n for _, first, last in await gaps_of(store) for n in range(first, last + 1) if n % 2 or n < 100
    }


async def test_what_was_told_and_comes_piece_by_piece_leaves_one_row_until_it_is_resolved(
    store: Store, clock: FixedClock
) -> None:
    pipeline, watch = pipeline_on(store, clock), watch_on(store, clock)
    await pipeline.ingest([batch(numbered(clock, 12))])
    clock.advance(31)
    await watch.run_once()
    for number in (2, 4, 6, 8, 10, 1, 3, 5):
        await pipeline.ingest([batch(numbered(clock, number))])
        assert len(await gaps_of(store, GapState.FILLED)) == 1
    assert [row.status for row in await told(store)] == ["open"]
    await pipeline.ingest([batch(*(numbered(clock, number) for number in (7, 9, 11)))])
    await watch.run_once()
    assert [row.status for row in await told(store)] == ["resolved"]


async def test_an_event_among_the_brokers_dead_letters_is_explained_until_it_is_replayed(
    store: Store, clock: FixedClock
) -> None:
    pipeline, watch = pipeline_on(store, clock), watch_on(store, clock)
    gone = [numbered(clock, 3), numbered(clock, 4)]
    await pipeline.ingest([batch(numbered(clock, 1), numbered(clock, 2), numbered(clock, 5))])
    queue = DeadQueue(store, metrics=Metrics(), clock=clock)
    dead = [
        DeadDelivery(json.dumps(body).encode(), kind, "faultwire.high", None, 1, [], None, death=death_in({}))
        for body, kind in ((gone, BATCH_TYPE), (numbered(clock, 2), EVENT_TYPE), (numbered(clock, 6), None))
    ]
    await queue.ingest(dead)
    assert await gaps_of(store, GapState.REPORTED) == [("p1", 3, 4), ("p1", 6, 6)]
    (row, _) = await store.read(select(sequence_gaps.c.reason))
    assert row.reason == "dead_lettered"
    clock.advance(60)
    await watch.run_once()
    assert await told(store) == []
    await pipeline.ingest([batch(*gone, numbered(clock, 6))])
    assert await store.read(select(sequence_gaps.c.id)) == []


async def test_nothing_is_told_while_a_slower_lane_may_still_hold_it(store: Store, clock: FixedClock) -> None:
    pipeline, drained_at = pipeline_on(store, clock), clock()
    watch = GapWatch(
        store, ingesting(pipeline), metrics=Metrics(), clock=clock, drained_at=lambda: drained_at
    )
    clock.advance(1)
    await pipeline.ingest([batch(numbered(clock, 2))])
    clock.advance(60)
    await watch.run_once()
    assert await told(store) == []
    drained_at = clock()
    await watch.run_once()
    assert len(await told(store)) == 1


async def test_a_lane_that_is_never_drained_holds_it_up_for_ten_minutes(
    store: Store, clock: FixedClock
) -> None:
    pipeline = pipeline_on(store, clock)
    watch = GapWatch(store, ingesting(pipeline), metrics=Metrics(), clock=clock, drained_at=lambda: None)
    await pipeline.ingest([batch(numbered(clock, 2))])
    clock.advance(599)
    await watch.run_once()
    assert await told(store) == []
    clock.advance(2)
    await watch.run_once()
    assert len(await told(store)) == 1


@pytest.mark.may_block("migrations are files")
async def test_a_database_of_the_first_schema_upgrades_with_its_data(empty_database_url: str) -> None:
    def at_first(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS faultwire"))
        command.upgrade(migrate.alembic_config(connection), "0001")

    def fill(connection: Connection) -> None:
        prefix = "faultwire." if connection.dialect.name == "postgresql" else ""
        moment = "now()" if prefix else "1795435200000000"
        connection.execute(
            text(
                f"INSERT INTO {prefix}events (occurred_day, event_id, fingerprint, occurred_at, received_at,"
                " severity, service, environment, count, producer_id, sequence, doc_codec) VALUES"
                f" ('1970-01-01', 'error_20261123_abcdef', :key, {moment}, {moment}, 1, 'billing', 'x', 1,"
                " 'p1', 981, 0)"
            ),
            {"key": b"1" * 16},
        )
        connection.execute(
            text(
                f"INSERT INTO {prefix}dead_letters (digest, reason, detail, first_seen_at, last_seen_at,"
                " attempts, origin, size, body)"
                f" VALUES (:key, 'malformed_json', 'x', {moment}, {moment}, 1, 'http', 1, :key)"
            ),
            {"key": b"{"},
        )

    await asyncio.to_thread(asyncio.run, schema_version.on_connection(empty_database_url, at_first))
    await asyncio.to_thread(asyncio.run, schema_version.on_connection(empty_database_url, fill))
    if empty_database_url.startswith("postgresql"):  # SQLite brings itself up to date
        await upgrade(empty_database_url)
    store = await open_store(empty_database_url)
    (letter,) = await store.read(select(dead_letters))
    assert (letter.status, letter.body) == ("waiting", b"{")
    (row,) = await store.read(select(producers))
    assert (row.producer_id, row.service, row.last_sequence, row.gaps) == ("p1", "billing", 981, 0)
    await pipeline_on(store, FixedClock()).ingest(
        [read_delivery(wire_body(producer_id="p1", sequence=983), EVENT_TYPE, origin="test", handle=None)]
    )
    assert await gaps_of(store) == [("p1", 982, 982)]
    await store.close()
