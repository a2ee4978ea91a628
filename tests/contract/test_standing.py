"""What stands in the store is shown to who watches from outside, from both databases."""

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.maintenance.standing import INCIDENTS_EVERY, StandingWatch
from faultwire_consumer.maintenance.store_size import StoreSizeWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.measured import MeasuredStore
from faultwire_consumer.store.schema.events import incidents, producers
from faultwire_shared.codec import BATCH_TYPE, PRODUCER_TYPE


def batch(*members: dict[str, object]) -> Delivery:
    return read_delivery(json.dumps(members).encode(), BATCH_TYPE, origin="test", handle=None)


def report(last: int, **fields: object) -> Delivery:
    document = {
        "producer_id": "p1",
        "service": "billing",
        "host": "web-3",
        "started_at": "2026-11-23T10:00:00Z",
        "last_sequence": last,
    }
    return read_delivery(json.dumps(document | fields).encode(), PRODUCER_TYPE, origin="test", handle=None)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"faultwire_{name}", labels)
    assert found is not None, name
    return found


async def test_dead_letters_incidents_producers_and_their_disks_are_counted(
    store: Store, clock: FixedClock
) -> None:
    metrics = Metrics()
    pipeline = Pipeline(store, metrics=metrics, clock=clock)
    numbered = wire_event(now=clock(), service="billing", producer_id="p1", sequence=1)
    await pipeline.ingest([batch(numbered), batch({"no": "event"})])
    await pipeline.ingest([report(5, spool_depth=3)])
    watch = StandingWatch(store, metrics=metrics, clock=clock)
    await watch.look()
    assert value(metrics, "dead_letters", status="waiting") == 1
    assert value(metrics, "dead_letters", status="discarded") == 0
    assert value(metrics, "incidents", status="open", severity=numbered["severity"]) == 1
    assert value(metrics, "incidents", status="resolved", severity="high") == 0
    assert value(metrics, "producers") == 1
    assert value(metrics, "spooled_events") == 3
    assert value(metrics, "sequence_gaps") == 1
    newest = value(metrics, "service_last_event_timestamp_seconds", service="billing")
    assert newest == pytest.approx(clock().timestamp(), abs=1)

    clock.advance(timedelta(days=2).total_seconds())
    await watch.look()
    assert value(metrics, "producers") == 0
    assert value(metrics, "spooled_events") == 0, "what it said two days ago is history"


async def test_incidents_are_counted_at_one_look_of_several(store: Store, clock: FixedClock) -> None:
    metrics, opened = Metrics(), wire_event(now=clock())
    watch = StandingWatch(store, metrics=metrics, clock=clock)
    await watch.look()
    await Pipeline(store, metrics=metrics, clock=clock).ingest([batch(opened)])
    for _ in range(INCIDENTS_EVERY - 1):
        await watch.look()
        assert value(metrics, "incidents", status="open", severity=opened["severity"]) == 0
    await watch.look()
    assert value(metrics, "incidents", status="open", severity=opened["severity"]) == 1


async def test_a_store_with_nothing_in_it_shows_zeros(store: Store, clock: FixedClock) -> None:
    metrics = Metrics()
    await StandingWatch(store, metrics=metrics, clock=clock).look()
    assert value(metrics, "dead_letters", status="waiting") == 0
    assert value(metrics, "spooled_events") == 0


async def test_disks_of_producers_that_number_at_random_add_up(store: Store, clock: FixedClock) -> None:
    rows = [
        {
            "producer_id": name,
            "service": "billing",
            "host": "",
            "first_seen_at": clock(),
            "last_seen_at": clock(),
            "last_sequence": 1,
            "gaps": 0,
            "spool_depth": 2**62,
        }
        for name in ("a", "b", "c")
    ]
    async with store.write() as tx:
        await tx.execute(insert(producers), rows)
    metrics = Metrics()
    await StandingWatch(store, metrics=metrics, clock=clock).look()
    assert value(metrics, "spooled_events") > 2**53


async def test_incidents_that_open_and_come_back_are_counted_by_severity(
    store: Store, clock: FixedClock
) -> None:
    metrics = Metrics()
    pipeline = Pipeline(store, metrics=metrics, clock=clock)
    first = wire_event(now=clock(), severity="critical", service="billing")
    await pipeline.ingest([batch(first)])
    await pipeline.ingest([batch(first)])
    assert value(metrics, "incidents_opened_total", severity="critical") == 1
    assert value(metrics, "service_events_total", service="billing") == 1, "a duplicate is no second event"
    async with store.write() as tx:
        await tx.execute(update(incidents).values(status="resolved", resolved_at=clock()))
    clock.advance(60)
    await pipeline.ingest([batch(wire_event(now=clock(), severity="critical", service="billing"))])
    assert value(metrics, "incidents_regressed_total", severity="critical") == 1
    assert value(metrics, "service_events_total", service="billing") == 2


async def test_losses_are_counted_once_however_often_a_producer_reports_them(
    store: Store, clock: FixedClock
) -> None:
    metrics = Metrics()
    pipeline = Pipeline(store, metrics=metrics, clock=clock)
    lost = {"reason": "spool_evicted", "count": 4, "from": 1, "to": 4}
    for _ in range(2):
        await pipeline.ingest([report(9, lost=[lost])])
    assert value(metrics, "events_lost_total", reason="spool_evicted") == 4
    more = {"reason": "spool_evicted", "count": 6, "from": 1, "to": 6}
    await pipeline.ingest([report(9, lost=[more, {"reason": "its own", "count": 1, "from": 8, "to": 8}])])
    assert value(metrics, "events_lost_total", reason="spool_evicted") == 6
    assert value(metrics, "events_lost_total", reason="its own") == 1


async def test_reasons_of_strangers_are_bounded(store: Store, clock: FixedClock) -> None:
    metrics = Metrics()
    metrics.standing.count_lost({f"reason-{number}": 1 for number in range(500)})
    series = {
        sample.labels["reason"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "faultwire_events_lost_total"
    }
    assert len(series) == 51
    assert value(metrics, "events_lost_total", reason="other") == 450


async def test_days_ahead_and_the_disk_are_shown_where_the_database_has_them(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    metrics, today = Metrics(), clock().date()
    await store.prepare_days(frozenset(today + timedelta(days=ahead) for ahead in (0, 1, 2, 4)))
    path = tmp_path / "faultwire.db" if store.name == "sqlite" else None
    await StoreSizeWatch(store, metrics=metrics, path=path, clock=clock).measure()
    ahead, free = value(metrics, "partitions_ahead"), value(metrics, "store_disk_free_bytes")
    if store.name == "postgresql":
        assert (ahead, math.isnan(free), value(metrics, "store_wal_bytes")) == (2, True, 0)
    else:
        assert (math.isnan(ahead), free > 0) == (True, True)
        wal = (tmp_path / "faultwire.db-wal").stat().st_size
        assert value(metrics, "store_wal_bytes") == wal
        assert value(metrics, "store_bytes") >= wal


async def test_a_measured_store_stores_as_the_one_in_it(store: Store, clock: FixedClock) -> None:
    metrics = Metrics()
    measured = MeasuredStore(store, metrics.store)
    await Pipeline(measured, metrics=metrics, clock=clock).ingest([batch(wire_event(now=clock()))])
    await measured.ping()
    await measured.show_connections()
    name = "store_statement_seconds_count"
    for statement in ("begin", "commit", "record_events", "register", "ping"):
        assert value(metrics, name, statement=statement) >= 1, statement
    states = [value(metrics, "store_connections", state=state) for state in ("idle", "in_use")]
    assert sum(states) >= 1
    assert value(metrics, "store_up") == 1
