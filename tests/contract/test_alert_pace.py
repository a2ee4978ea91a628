"""Faults of notifications first: one incident told once, growth told together, late events not one by one."""

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select
from tests.contract.test_dispatcher import LOG, Bench
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify import claim
from faultwire_consumer.notify.message import json_of, message_of
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.sender import Permanent, SendReason, Transient
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.claim import Waiting, load_due
from faultwire_consumer.store.outbox.queries import NotificationFilter, list_notifications
from faultwire_consumer.store.schema.notify import outbox_stages

TWO = parse_policy(f'{LOG}[receivers.pager]\ntype = "log"\n', shipped=shipped_text())

pytestmark = [
    pytest.mark.may_block("a zone's file is read once"),
    pytest.mark.patient("a claim of a thousand rows takes a moment"),
]


@pytest.fixture
def bench(store: Store, clock: FixedClock) -> Bench:
    return Bench(store, clock, new_per_minute=2_000)


async def test_a_summary_names_and_counts_an_incident_once_with_all_that_happened_to_it(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.occur("a", severity="high", count=11)
    await bench.occur("a", severity="high", count=100)
    await bench.occur("b", severity="high", service="shop")
    await bench.turn(240)
    (told,) = bench.sender.received
    assert [one.id for one in told.incidents] == ["INC-1", "INC-2"]
    assert told.incidents[0].happened == "new, then grew past 10 and 100"
    assert told.incidents[0].reasons == (NotificationReason.NEW, NotificationReason.GROWTH)
    message = message_of(told)
    assert message.subject == "[high] INC-1 billing: a and 1 more in shop"
    assert message.text.startswith("2 incidents.\n")
    assert json.loads(json_of(told))["data"]["incidents"][0]["happened"] == "new, then grew past 10 and 100"
    assert {row.state for row in await bench.rows()} == {"sent"}


async def test_a_summary_of_one_incident_alone_is_that_incident_s_notification(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.occur("a", severity="high", count=11)
    await bench.turn(240)
    (told,) = bench.sender.received
    assert (told.kind, told.reason) == (NotificationKind.INCIDENT, NotificationReason.NEW)
    assert message_of(told).subject == "[high] INC-1 new, then grew past 10: billing: a"


async def test_growth_of_one_loop_within_seconds_is_one_notice_for_each_receiver(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, policy=TWO)
    await bench.occur("a")
    await bench.turn()
    for more in (12, 90, 1_000):
        await bench.occur("a", count=more)
        await bench.turn(2)
    assert [len(one.received) for one in bench.senders.values()] == [1, 1]
    await bench.turn(53)
    assert [len(one.received) for one in bench.senders.values()] == [1, 1]
    await bench.turn(1)
    for sender in bench.senders.values():
        _, grown = sender.received
        assert (grown.kind, grown.reason) == (NotificationKind.INCIDENT, NotificationReason.GROWTH)
        assert grown.detail == "10, 100 and 1,000 events"
        assert message_of(grown).subject == "[critical] INC-1 grew past 10, 100 and 1,000: billing: a"
    assert await bench.turn(600) == []
    traced = await store.read(select(outbox_stages).where(outbox_stages.c.stage == "growth"))
    assert {(one.decision, one.reason) for one in traced} == {
        ("held", "growing"),
        ("carried", "growing"),
        ("passed", "growing"),
    }


async def test_growth_hours_after_the_first_notice_is_told_at_once(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    bench.clock.advance(3_000)
    await bench.occur("a", count=12)
    assert await bench.turn() == ["critical:INC-1:1:growth-10:log"]


async def test_growth_that_failed_and_was_resolved_meanwhile_leaves_nothing_behind(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    await bench.occur("a", count=12)
    await bench.occur("a", count=100)
    bench.sender.answers = [Transient(SendReason.TIMEOUT)]
    assert await bench.turn(60) == ["critical:INC-1:1:growth-100:log"]
    await bench.change(Verb.RESOLVE)
    assert await bench.turn(60) == []
    grown = [row for row in await bench.rows() if row.reason == "growth"]
    assert {(row.state, row.state_reason) for row in grown} == {("stopped", "resolved")}


async def test_late_events_of_an_import_or_a_spool_are_told_in_summaries_not_one_by_one(bench: Bench) -> None:
    yesterday = (bench.clock() - timedelta(days=1)).isoformat()
    keys = []
    for number in range(16):
        await bench.occur(f"late {number}", severity="high", occurred_at=yesterday)
        keys += await bench.turn(0.5)
    keys += await bench.turn(60)
    assert len(keys) == 1
    assert len(bench.sender.received[0].incidents) == 16


async def test_a_receiver_gets_ten_gathered_messages_a_minute_and_then_the_rest_together(
    bench: Bench,
) -> None:
    yesterday = (bench.clock() - timedelta(days=1)).isoformat()
    for number in range(12):
        await bench.occur(f"late {number}", severity="high", occurred_at=yesterday)
        bench.clock.advance(30)
        await bench.turn()
        bench.clock.advance(-27)
    assert len(bench.sender.received) == 10
    assert len(await bench.turn(90)) == 1
    told = [one.id for message in bench.sender.received for one in message.incidents]
    assert sorted(told) == sorted(f"INC-{number}" for number in range(1, 13))


async def test_the_environment_of_the_event_stands_in_every_notification(bench: Bench) -> None:
    await bench.occur("a", environment="production")
    await bench.occur("b", "c", severity="high", environment="staging")
    await bench.turn()
    await bench.turn(240)
    await bench.turn(3_600)
    single, summary, reminder = bench.sender.received
    assert [one.environment for one in (*single.incidents, *summary.incidents, *reminder.incidents)] == [
        "production",
        "staging",
        "staging",
        "production",
    ]
    assert "  service   billing in production\n" in message_of(single).text
    assert json.loads(json_of(summary))["data"]["incidents"][0]["environment"] == "staging"


async def test_a_storm_beyond_one_read_is_one_summary_that_leads_to_every_incident(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, new_per_minute=10_000)
    kinds = [f"kind {number}" for number in range(1_300)]
    await bench.occur(*kinds[:700], severity="high")
    await bench.occur(*kinds[700:], severity="high")
    assert len(await bench.turn(240)) == 1
    (told,) = bench.sender.received
    assert (len(told.incidents), told.more_count) == (1_000, 300)
    assert message_of(told).subject.endswith(" and 1,299 more")
    listed, cursor = set[int](), None
    while True:
        wanted = NotificationFilter(carrier=told.number)
        page = await list_notifications(store, wanted, limit=500, cursor=cursor)
        listed |= {one.incident_id for one in page.rows if one.incident_id is not None}
        assert {one.carrier_id for one in page.rows} == {told.number}
        cursor = page.next_cursor
        if cursor is None:
            break
    rows = await bench.rows()
    listed |= {row.incident_id for row in rows if row.id == told.number}
    assert listed == set(range(1, 1_301))
    assert {row.state for row in rows} == {"sent"}


async def test_a_summary_that_was_being_filled_when_the_store_went_away_is_filled_on_and_sent_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in (0, 550):
        await bench.occur(*(f"kind {number}" for number in range(start, start + 550)), severity="high")
    calls = count()

    async def goes_away(*arguments: Any, **named: Any) -> Waiting:
        if next(calls) == 1:
            raise StoreUnavailableError("gone")
        return await load_due(*arguments, **named)

    monkeypatch.setattr(claim, "load_due", goes_away)
    with pytest.raises(StoreUnavailableError):
        await bench.turn(240)
    assert bench.sender.received == []
    assert len(await bench.turn()) == 1
    (told,) = bench.sender.received
    assert len(told.incidents) + told.more_count == 1_100


async def test_a_receiver_that_was_down_for_half_an_hour_is_told_once_and_others_on_time(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, policy=TWO)
    down, up = bench.senders["pager"], bench.senders["log"]
    down.answers = [Transient(SendReason.UNREACHABLE)] * 500
    for minute in range(0, 30, 3):
        await bench.occur(f"kind {minute}")
        await bench.turn()
        assert up.received[-1].incidents[0].title == f"kind {minute}", "the other receiver is told at once"
        for _ in range(2):
            await bench.turn(90)
    down.answers, down.received = [], []
    for _ in range(8):
        await bench.turn(120)
    told = [key for key in down.keys if ":new:" in key]
    assert sorted(told) == sorted(key.replace(":log", ":pager") for key in up.keys if ":new:" in key)
    assert len(told) == 10


async def test_a_receiver_that_answers_gone_is_given_up_and_the_other_is_told(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock, policy=TWO)
    bench.senders["pager"].answers = [Permanent(SendReason.GONE, "410 Gone")]
    await bench.occur("a")
    await bench.turn()
    states = {row.receiver: (row.state, row.state_reason) for row in await bench.rows() if row.ordinal == 0}
    assert states == {"log": ("sent", None), "pager": ("given_up", "refused")}
