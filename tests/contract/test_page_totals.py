"""The numbers at the head of every page, and what a list of notifications says beside its rows."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import insert
from tests.contract.filling import explain
from tests.contract.test_store import new
from tests.tools.clock import FixedClock

from faultwire_consumer.store.audit.service_list import QUIET_FOR, select_quiet_services
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.queries import (
    NotificationFilter,
    count_given_up,
    list_notifications,
    read_telling_facts,
    select_given_up,
)
from faultwire_consumer.store.schema.events import producers
from faultwire_consumer.store.schema.figures import figure_journal
from faultwire_consumer.store.schema.notify import digest_lines, outbox, outbox_attempts
from faultwire_consumer.store.status import read_content
from faultwire_consumer.store.upkeep.backlog import COUNTED, read_backlog
from faultwire_consumer.web.page.totals import GIVEN_UP_FOR, QUIET_KEPT, QuietServices
from faultwire_shared.event import ErrorSeverity

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


def notification(number: int, state: str, *, hours: float = 0, **values: Any) -> dict[str, Any]:
    """A row of the outbox that was finished so many hours ago."""
    at = NOW - timedelta(hours=hours)
    return {
        "id": number,
        "idempotency_key": f"k{number}",
        "receiver": "log",
        "rule": "r",
        "kind": "incident",
        "reason": "new",
        "incident_id": 1,
        "episode": 1,
        "severity": ErrorSeverity.HIGH.rank,
        "detail": "",
        "urgent": True,
        "ordinal": 0,
        "created_at": at,
        "due_at": at,
        "finished_at": None if state == "waiting" else at,
        "state": state,
        "attempts": 0,
        "carrier_id": None,
        **values,
    }


async def keep(store: Store, table: Any, rows: list[dict[str, Any]]) -> None:
    async with store.write() as tx:
        await tx.execute(insert(table), rows)


async def test_what_was_given_up_lately_and_goes_out_by_itself_is_counted(store: Store) -> None:
    week = GIVEN_UP_FOR.total_seconds() / 3600
    await keep(
        store,
        outbox,
        [
            notification(1, "given_up"),
            notification(2, "given_up", hours=week),
            notification(3, "given_up", hours=week + 1),
            notification(4, "given_up", carrier_id=1),
            notification(5, "sent"),
            notification(6, "waiting"),
        ],
    )
    assert await count_given_up(store, since=NOW - GIVEN_UP_FOR) == 2
    page = await list_notifications(store, NotificationFilter(is_own=True), limit=9)
    assert {one.id for one in page.rows} == {1, 2, 3, 5, 6}


async def test_a_list_says_what_failed_last_and_how_many_others_a_summary_tells_of(store: Store) -> None:
    await store.register([new(1)], [])
    await keep(
        store,
        outbox,
        [
            notification(1, "given_up", attempts=2),
            notification(2, "sent", kind="summary"),
            notification(3, "sent", carrier_id=2, incident_id=2),
            notification(4, "sent", carrier_id=2, incident_id=3),
            notification(5, "sent", kind="digest", incident_id=None),
            notification(6, "sent", attempts=1),
            notification(7, "given_up", attempts=0),
        ],
    )
    tried = {"started_at": NOW, "ended_at": NOW, "outcome": "permanent", "reason": "gone"}
    await keep(
        store,
        outbox_attempts,
        [
            tried | {"outbox_id": 1, "number": 1, "detail": "first"},
            tried | {"outbox_id": 1, "number": 2, "detail": "last"},
            tried | {"outbox_id": 6, "number": 1, "detail": "of one that was sent"},
        ],
    )
    line = {"reason": "new", "severity": 1, "event_id": None, "events": 1, "outbox_id": 5}
    await keep(store, digest_lines, [line | {"incident_id": one} for one in (1, 2, 3)])
    rows = (await list_notifications(store, NotificationFilter(), limit=9)).rows
    facts = await read_telling_facts(store, rows)
    assert facts.incidents == {2: 2, 5: 3}
    assert facts.failures == {1: "last"}
    assert facts.titles == {1: "Error 1"}
    nothing = await read_telling_facts(store, ())
    assert (nothing.incidents, nothing.failures, nothing.titles) == ({}, {}, {})


def process(number: int, *, seconds: float = 0, **values: Any) -> dict[str, Any]:
    """A process that was heard from so many seconds ago."""
    at = NOW - timedelta(seconds=seconds)
    return {
        "producer_id": f"p{number}",
        "service": f"s{number % 50}",
        "host": "",
        "first_seen_at": at,
        "last_seen_at": at,
        "last_sequence": 1,
        "gaps": 0,
        "spool_depth": 0,
        **values,
    }


async def test_both_are_read_by_an_index(store: Store) -> None:
    long_ago = QUIET_FOR.total_seconds() * 2
    await keep(store, producers, [process(number, seconds=long_ago + number) for number in range(4_000)])
    await keep(store, producers, [process(10_000 + number, seconds=number) for number in range(20)])
    await keep(store, outbox, [notification(number, "sent") for number in range(1, 4_000)])
    await keep(store, outbox, [notification(5_000, "given_up")])
    await store.run_alone("ANALYZE", seconds=10)
    plan = await explain(store, select_quiet_services(store.name, NOW))
    assert re.search("ix_producers_last_seen_at", plan), plan
    plan = await explain(store, select_given_up(NOW - GIVEN_UP_FOR))
    assert re.search("ix_outbox_given_up", plan), plan


async def test_quiet_services_are_counted_anew_after_some_seconds(store: Store) -> None:
    clock = FixedClock(NOW)
    quiet = QuietServices(store, clock)
    assert await quiet.count() == 0
    await keep(store, producers, [process(1, seconds=200)])
    assert await quiet.count() == 0
    clock.advance(QUIET_KEPT)
    assert await quiet.count() == 1
    clock.advance(-timedelta(hours=1))
    assert await quiet.count() == 0, "a clock that was set back counts anew"


async def test_what_waits_behind_the_events_is_counted_up_to_a_bound(store: Store) -> None:
    nothing = await read_backlog(store)
    assert (nothing.uncounted, nothing.unsearched, nothing.on_disks) == (0, 0, 0)
    await keep(store, producers, [process(1, spool_depth=4), process(2, spool_depth=3), process(3)])
    await keep(store, figure_journal, [{"body": b"x"} for _ in range(COUNTED + 5)])
    found = await read_backlog(store)
    assert (found.uncounted, found.on_disks) == (COUNTED, 7)
    assert (await read_content(store)).days >= 0


@pytest.mark.parametrize("depth", [2**62])
async def test_disks_beyond_all_bounds_are_added_up(store: Store, depth: int) -> None:
    await keep(store, producers, [process(number, spool_depth=depth) for number in range(3)])
    assert (await read_backlog(store)).on_disks > depth
