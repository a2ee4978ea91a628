"""What a store promises, on SQLite and on PostgreSQL alike."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, func, inspect, make_url, select, text
from structlog.testing import capture_logs
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.domain.incident import Status, Transition, TransitionReason
from faultwire_consumer.store.contract.store import (
    Counted,
    EventRow,
    MigrationError,
    NewFingerprint,
    Place,
    RowsRejectedError,
    Store,
    StoreUnavailableError,
    UnknownFingerprintsError,
)
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_consumer.store.dead_letters.record import NewDeadLetter, record_dead_letters
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.transition import apply_transitions
from faultwire_consumer.store.migrations import migrate, schema_version
from faultwire_consumer.store.migrations.search_index import EVENT_INDEX, SEARCH_INDEX
from faultwire_consumer.store.postgresql.partition import partition_day
from faultwire_consumer.store.postgresql.store import WARM_CONNECTIONS, PostgresqlStore
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import (
    QUARANTINE_DAY,
    SCHEMA,
    events,
    fingerprints,
    hourly,
    incidents,
    metadata,
    sightings,
)
from faultwire_consumer.store.schema.notify import outbox
from faultwire_consumer.store.schema.search import event_texts
from faultwire_consumer.store.sqlite.store import SqliteStore
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import day_of, new_event_id

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def fingerprint_of(number: int = 1) -> bytes:
    return number.to_bytes() * 16


def row(number: int = 1, *, at: datetime = NOW, **fields: Any) -> EventRow:
    event_id = fields.pop("event_id", None) or new_event_id(at)
    values: dict[str, Any] = {
        "occurred_day": partition_day(day_of(event_id), today=NOW.date()),
        "event_id": event_id,
        "fingerprint": fingerprint_of(number),
        "occurred_at": at,
        "received_at": NOW,
        "severity": ErrorSeverity.HIGH,
        "service": "billing",
        "environment": "production",
        "release": "1.0",
        "count": 1,
        "producer_id": None,
        "sequence": None,
        "doc": b'{"id": "x"}',
    }
    return EventRow(**(values | fields))


def new(number: int = 1, *, joins: bytes | None = None) -> NewFingerprint:
    return NewFingerprint(
        fingerprint=fingerprint_of(number),
        version=1,
        digest=fingerprint_of(number) * 2,
        parts_json='["service billing"]',
        service="billing",
        title=f"Error {number}",
        culprit="billing.pay in charge",
        severity=ErrorSeverity.LOW,
        category="external",
        code="GATEWAY_DOWN",
        occurred_at=NOW,
        search_text=f"error {number}",
        joins=joins,
    )


async def record(store: Store, rows: Sequence[EventRow]) -> Counted:
    await store.prepare_days(frozenset(one.occurred_day for one in rows))
    async with store.write() as tx:
        return await tx.record_events(rows)


async def incident_rows(store: Store) -> Sequence[Any]:
    return await store.read(select(incidents).order_by(incidents.c.id))


async def sum_of(store: Store, column: Any) -> int:
    return int((await store.read(select(func.coalesce(func.sum(column), 0))))[0][0])


def test_the_needed_schema_is_the_newest_of_the_migrations() -> None:
    assert schema_version.head() == ScriptDirectory.from_config(migrate.alembic_config()).get_current_head()


async def test_a_batch_is_counted_by_incident_and_hour(store: Store) -> None:
    await store.register([new(1), new(2)], [])
    late = NOW - timedelta(hours=2)
    await record(store, [row(1), row(1, at=late, count=40), row(2)])
    first, second = await incident_rows(store)
    assert (first.count, second.count) == (41, 1)
    assert (first.first_seen_at, first.last_seen_at) == (late, NOW)
    hours = await store.read(select(hourly.c.hour, hourly.c.count).order_by(hourly.c.hour, hourly.c.count))
    assert [tuple(one) for one in hours] == [
        (late.replace(minute=0), 40),
        (NOW.replace(minute=0), 1),
        (NOW.replace(minute=0), 1),
    ]


async def test_an_event_that_comes_again_is_named_a_duplicate_and_counts_nothing(store: Store) -> None:
    await store.register([new()], [])
    batch = [row(), row(), row()]
    await record(store, batch)
    again = await record(store, [*batch[1:], row()])
    assert again.duplicates == {one.event_id for one in batch[1:]}
    assert await sum_of(store, incidents.c.count) == await sum_of(store, hourly.c.count) == 4
    assert await sum_of(store, events.c.count) == 4


async def test_an_incident_is_first_sight_once_and_silent_while_open(store: Store) -> None:
    await store.register([new()], [])
    first = await record(store, [row()])
    assert [touched.first_sight for touched in first.touched] == [True]
    assert (await record(store, [row()])).touched == ()


async def test_an_incident_that_is_not_open_comes_back_with_its_newest_event(store: Store) -> None:
    await store.register([new()], [])
    await record(store, [row()])
    (known,) = await incident_rows(store)
    await set_status(store, known.id, Status.RESOLVED, resolved_at=NOW)
    newest = row(at=NOW + timedelta(minutes=3), severity=ErrorSeverity.CRITICAL)
    (touched,) = (await record(store, [row(), newest])).touched
    assert (touched.status, touched.resolved_at) == (Status.RESOLVED, NOW)
    assert (touched.newest_at, touched.newest_event_id) == (newest.occurred_at, newest.event_id)
    assert (touched.severity_before, touched.severity) == (ErrorSeverity.HIGH, ErrorSeverity.CRITICAL)


async def test_a_duplicate_never_makes_an_incident_look_newer(store: Store) -> None:
    await store.register([new()], [])
    ahead = row(at=NOW + timedelta(minutes=4))
    await record(store, [ahead])
    (known,) = await incident_rows(store)
    await set_status(store, known.id, Status.RESOLVED, resolved_at=NOW)
    (touched,) = (await record(store, [ahead, row(at=NOW - timedelta(minutes=1))])).touched
    assert touched.newest_at < NOW


async def set_status(store: Store, incident_id: int, status: Status, *, resolved_at: datetime | None) -> None:
    transition = Transition(
        incident_id=incident_id,
        before=Status.OPEN,
        after=status,
        episode=1,
        resolved_at=resolved_at,
        reason=TransitionReason.RESOLVED,
        actor="test",
        at=NOW,
    )
    async with store.write() as tx:
        await apply_transitions(tx, [transition])


async def test_an_unregistered_fingerprint_is_refused_and_nothing_is_written(store: Store) -> None:
    await store.register([new(1)], [])
    with pytest.raises(UnknownFingerprintsError):
        await record(store, [row(1), row(2)])
    assert await sum_of(store, events.c.count) == 0
    assert await sum_of(store, incidents.c.count) == 0


async def test_registering_again_changes_nothing(store: Store) -> None:
    sighting = Place(fingerprint_of(), "production", "1.0")
    await store.register([new()], [sighting])
    await record(store, [row()])
    await store.register([new()], [sighting])
    assert len(await incident_rows(store)) == 1
    assert len(await store.read(select(fingerprints.c.fingerprint))) == 1
    assert len(await store.read(select(sightings.c.fingerprint))) == 1


async def test_workers_that_register_one_fingerprint_together_open_one_incident(store: Store) -> None:
    seen = [Place(fingerprint_of(number), "production", "1.0") for number in (1, 2)]
    batches = [([new(1), new(2)], seen), ([new(2), new(1)], seen[::-1])] * 4
    await asyncio.gather(*(store.register(*batch) for batch in batches))
    assert len(await store.read(select(fingerprints.c.fingerprint))) == 2
    assert len(await store.read(select(sightings.c.fingerprint))) == 2
    await record(store, [row(1), row(2)])
    assert [one.count for one in await incident_rows(store) if one.count] == [1, 1]


async def test_batches_that_overlap_in_parallel_count_each_event_once(store: Store) -> None:
    await store.register([new(number) for number in range(1, 6)], [])
    batches = [[row(1 + number % 5) for number in range(40)] for _ in range(6)]
    crossing = [[*one, *other] for one, other in zip(batches, batches[1:] + batches[:1], strict=True)]
    counted = await asyncio.gather(*(record(store, batch) for batch in crossing))
    assert sum(len(one.duplicates) for one in counted) == 6 * 40
    assert await sum_of(store, incidents.c.count) == await sum_of(store, hourly.c.count) == 240


async def test_a_transaction_that_fails_leaves_nothing_behind(store: Store) -> None:
    await store.register([new()], [])
    await store.prepare_days(frozenset({row().occurred_day}))

    async def fail_half_way() -> None:
        async with store.write() as tx:
            await tx.record_events([row()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    assert await sum_of(store, events.c.count) == 0
    await record(store, [row()])
    assert await sum_of(store, incidents.c.count) == 1


async def test_rows_that_the_database_cannot_hold_are_rejected_as_such(store: Store) -> None:
    await store.register([new()], [])
    with pytest.raises(RowsRejectedError):
        await record(store, [row(count=2**70)])


@pytest.mark.parametrize("days", [-36, 3, -4000])
async def test_an_event_of_a_wrong_clock_is_kept_in_quarantine_and_counted_once(
    store: Store, days: int
) -> None:
    await store.register([new()], [])
    stray = row(event_id=new_event_id(NOW + timedelta(days=days)))
    assert stray.occurred_day == QUARANTINE_DAY
    await record(store, [stray])
    again = await record(store, [stray])
    assert again.duplicates == {stray.event_id}
    assert await sum_of(store, incidents.c.count) == 1


async def test_an_event_that_grows_too_old_between_two_deliveries_is_still_one(store: Store) -> None:
    await store.register([new()], [])
    event_id = new_event_id(NOW - timedelta(days=35))
    young = row(event_id=event_id)
    old = row(event_id=event_id, occurred_day=QUARANTINE_DAY)
    assert young.occurred_day != QUARANTINE_DAY
    await record(store, [young])
    assert (await record(store, [old])).duplicates == {event_id}
    other = new_event_id(NOW + timedelta(days=2))
    await record(store, [row(event_id=other, occurred_day=QUARANTINE_DAY)])
    assert (await record(store, [row(event_id=other)])).duplicates == {other}


async def test_a_dead_letter_that_comes_again_is_one_row_with_one_more_attempt(store: Store) -> None:
    letter = NewDeadLetter(
        body=b"{",
        reason="malformed_json",
        detail="nul \x00 inside at $",
        event_id=None,
        origin="faultwire.high",
        message_type="odd\x00type",
        attempts=1,
        at=NOW,
    )
    for _ in range(2):
        async with store.write() as tx:
            await record_dead_letters(tx, [letter])
    (kept,) = await store.read(select(dead_letters))
    assert (kept.attempts, kept.body, kept.size) == (2, b"{", 1)
    assert "\x00" not in kept.detail


def search_index(table: Table, database: str) -> set[str]:
    """PostgreSQL's index for free text, which is made where the server can; SQLite's is a table apart."""
    if database != "postgresql":
        return set()
    return {incidents: {SEARCH_INDEX}, event_texts: {EVENT_INDEX}}.get(table, set())


async def test_the_migrations_make_what_the_code_reads(store: Store, database_url: str) -> None:
    def shape_in_database(connection: Connection) -> dict[str, Any]:
        seen = inspect(connection)
        schema = None if store.name == "sqlite" else SCHEMA
        return {
            table.name: (
                {column["name"]: column["nullable"] for column in seen.get_columns(table.name, schema)},
                set(seen.get_pk_constraint(table.name, schema)["constrained_columns"]),
                {index["name"] for index in seen.get_indexes(table.name, schema)},
                {key["constrained_columns"][0] for key in seen.get_foreign_keys(table.name, schema)},
            )
            for table in metadata.sorted_tables
        }

    in_code = {
        table.name: (
            {column.name: column.nullable for column in table.columns},
            {column.name for column in table.primary_key.columns},
            {str(index.name) for index in table.indexes} | search_index(table, store.name),
            {key.parent.name for key in table.foreign_keys},
        )
        for table in metadata.sorted_tables
    }
    assert await schema_version.on_connection(database_url, shape_in_database) == in_code
    assert outbox.name in in_code


async def test_every_table_can_be_read_after_the_migrations(store: Store) -> None:
    for table in metadata.sorted_tables:
        assert await store.read(select(table)) == []


async def test_a_database_without_a_schema_names_the_command(postgresql: Any) -> None:
    with pytest.raises(MigrationError, match="faultwire db upgrade"):
        await open_store(postgresql.url)


async def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(StoreUnavailableError) as told:
        await open_store("postgresql://bob:hunter2@127.0.0.1:9/faultwire")
    assert "127.0.0.1:9" in str(told.value)
    assert "hunter2" not in str(told.value)


async def test_warming_opens_connections_and_writes_nothing(store: Store) -> None:
    await store.warm()
    for table in (events, incidents, fingerprints, sightings, hourly):
        assert await store.read(select(func.count()).select_from(table)) == [(0,)]
    if store.name == "postgresql":
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ((connections,),) = await store.read(text(asked))
        assert connections >= WARM_CONNECTIONS
    await store.register([new()], [])
    await record(store, [row()])
    assert await sum_of(store, incidents.c.count) == 1


async def test_warming_waits_for_nobody_who_holds_a_table(current_postgresql: PostgreSQL) -> None:
    store = await open_store(current_postgresql.url)
    with capture_logs() as told:
        async with store.write() as tx:
            await tx.execute(text("LOCK TABLE faultwire.events IN SHARE MODE"))
            await store.warm()
    assert "could not obtain lock" in told[0]["why"]
    await store.close()


async def test_warming_a_database_that_is_away_is_left_to_whoever_needs_it() -> None:
    store = PostgresqlStore(parse_database_url("postgresql://bob@127.0.0.1:9/faultwire"), Timeouts())
    await store.warm()
    with pytest.raises(StoreUnavailableError):
        await store.ping()
    await store.close()


async def test_a_write_that_is_cancelled_while_it_begins_leaves_the_next_one_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(parse_database_url(f"sqlite:///{tmp_path / 'faultwire.db'}"), Timeouts())
    await store.open(migrate.upgrade_checked)
    begin, started, go_on = store._begin, threading.Event(), threading.Event()

    def begin_slowly() -> Connection:
        started.set()
        go_on.wait(60)
        return begin()

    async def write() -> None:
        async with store.write() as tx:
            await tx.execute(select(incidents.c.id))

    monkeypatch.setattr(store, "_begin", begin_slowly)
    cancelled = asyncio.create_task(write())
    await asyncio.to_thread(started.wait, 30)
    cancelled.cancel()
    go_on.set()
    await asyncio.wait({cancelled})
    assert cancelled.cancelled()
    await write()
    await store.close()


async def test_a_store_that_is_closed_leaves_no_connection_whenever_its_readers_were_cancelled(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    sqlite3.connect(path).close()
    for steps in range(60):
        before = set(threading.enumerate())
        store = SqliteStore(make_url(f"sqlite:///{path}"), Timeouts())
        reading = asyncio.ensure_future(store.read(text("SELECT 1")))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await store.close()
        await asyncio.wait({reading})
        for thread in set(threading.enumerate()) - before:
            if not thread.name.startswith("asyncio_"):  # a connection's, or the writer's
                await asyncio.to_thread(thread.join, 30)
                assert not thread.is_alive()


async def test_a_sqlite_file_belongs_to_one_worker(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    first = await open_store(url)
    with pytest.raises(StoreUnavailableError, match="another worker"):
        await open_store(url)
    await first.close()
    await (await open_store(url)).close()


@pytest.mark.parametrize("text", ["mysql://h/x", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_url_of_no_database_we_know_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        parse_database_url(text)
