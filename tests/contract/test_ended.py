"""Old rows of what is over go; what waits, is due or open stays, however old."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, func, insert, select
from tests.tools.clock import FixedClock

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.access import (
    accounts,
    audit_log,
    invitations,
    sessions,
    sign_in_failures,
)
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters
from faultwire_consumer.store.schema.events import hourly, producers, sequence_gaps
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.schema.notify import (
    digest_lines,
    outbox,
    outbox_attempts,
    outbox_stages,
    silence_history,
    silence_hits,
    silences,
)
from faultwire_consumer.store.upkeep.delete_finished import delete_finished

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def put(store: Store, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    async with store.write() as tx:
        await tx.execute(insert(table), rows)


async def values(store: Store, column: Any) -> list[Any]:
    return [row[0] for row in await store.read(select(column).order_by(column))]


async def end(store: Store, clock: FixedClock) -> dict[str, int]:
    async def no_sleep(_: float) -> None:
        return None

    gone = await delete_finished(
        store,
        finished_before=clock() - timedelta(days=90),
        hours_before=clock() - timedelta(days=400),
        now=clock(),
        sleep=no_sleep,
    )
    return {table: rows for table, rows in gone.items() if rows}


def alert(number: int, state: str, at: datetime | None) -> dict[str, Any]:
    return {
        "id": number,
        "idempotency_key": str(number),
        "receiver": "log",
        "rule": "critical",
        "kind": "incident",
        "reason": "new",
        "episode": 1,
        "severity": 4,
        "detail": "",
        "urgent": True,
        "ordinal": 0,
        "created_at": LONG_AGO,
        "due_at": at or LONG_AGO,
        "state": state,
        "attempts": 1,
        "finished_at": at,
    }


def letter(number: int, status: str, at: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "digest": bytes([number]),
        "reason": "malformed_json",
        "detail": "",
        "first_seen_at": at,
        "last_seen_at": at,
        "attempts": 1,
        "origin": "http",
        "size": 1,
        "body": b"x",
        "status": status,
    }


def producer(name: str, at: datetime, *, spool_depth: int = 0) -> dict[str, Any]:
    return {
        "producer_id": name,
        "service": "billing",
        "host": "web-1",
        "first_seen_at": at,
        "last_seen_at": at,
        "last_sequence": 9,
        "gaps": 0,
        "spool_depth": spool_depth,
    }


def gap(name: str, state: str, at: datetime, *, event_id: str | None = None) -> dict[str, Any]:
    return {
        "producer_id": name,
        "first": 1,
        "last": 2,
        "opened_at": at,
        "closed_at": None if state == "open" else at,
        "state": state,
        "event_id": event_id,
    }


async def test_notifications_that_are_over_go_with_their_attempts(store: Store, clock: FixedClock) -> None:
    old, young = clock() - timedelta(days=91), clock() - timedelta(days=89)
    states = [
        ("sent", old),
        ("given_up", old),
        ("stopped", old),
        ("waiting", None),
        ("carried", None),
        ("sent", young),
    ]
    await put(store, outbox, [alert(number, state, at) for number, (state, at) in enumerate(states, 1)])
    ids = range(1, 7)
    await put(store, outbox_attempts, [{"outbox_id": one, "number": 1, "started_at": old} for one in ids])
    stage = {"at": old, "stage": "throttle", "decision": "passed", "reason": "", "detail": ""}
    await put(store, outbox_stages, [{"outbox_id": one} | stage for one in ids])
    line = {"incident_id": 1, "reason": "new", "severity": 1, "events": 1}
    await put(store, digest_lines, [{"outbox_id": one} | line for one in ids])
    assert await end(store, clock) == {"outbox": 3}
    for column in (
        outbox.c.id,
        *(table.c.outbox_id for table in (outbox_attempts, outbox_stages, digest_lines)),
    ):
        assert await values(store, column) == [4, 5, 6]
    assert await end(store, clock) == {}


async def test_dead_letters_that_are_settled_go_with_their_history(store: Store, clock: FixedClock) -> None:
    old, young = clock() - timedelta(days=91), clock() - timedelta(days=89)
    states = [("replayed", old), ("discarded", old), ("waiting", old), ("discarded", young)]
    await put(store, dead_letters, [letter(number, *state) for number, state in enumerate(states, 1)])
    entry = {"at": old, "actor": "ada", "reason": "replayed", "detail": "", "before": "waiting", "after": "x"}
    await put(store, dead_letter_history, [{"dead_letter_id": number} | entry for number in (1, 1, 2, 3, 4)])
    assert await end(store, clock) == {"dead_letters": 2}
    assert await values(store, dead_letters.c.id) == [3, 4]
    assert await values(store, dead_letter_history.c.dead_letter_id) == [3, 4]


async def test_producers_that_are_silent_go_unless_something_of_them_is_missing(
    store: Store, clock: FixedClock
) -> None:
    old, young = clock() - timedelta(days=91), clock() - timedelta(days=89)
    named = [producer(name, old) for name in ("done", "missing", "told")]
    named += [producer("talking", young), producer("spooling", old, spool_depth=3)]
    await put(store, producers, named)
    await put(
        store,
        sequence_gaps,
        [
            gap("done", "reported", old),
            gap("missing", "open", old),
            gap("told", "filled", old, event_id="error_20260101_abcdef"),
            gap("talking", "filled", old),
            gap("talking", "reported", old),
        ],
    )
    assert await end(store, clock) == {"sequence_gaps": 1, "producers": 1}
    assert await values(store, producers.c.producer_id) == ["missing", "spooling", "talking", "told"]
    assert await values(store, sequence_gaps.c.producer_id) == ["missing", "talking", "told"]


async def test_hourly_counters_have_an_age_of_their_own(store: Store, clock: FixedClock) -> None:
    hour = clock().replace(minute=0)
    ages = [timedelta(days=days, hours=hours) for days in (0, 399, 401) for hours in range(24)]
    rows = [
        {"fingerprint": bytes([number]), "environment": "production", "hour": hour - age, "count": 1}
        for number in range(25)
        for age in ages
    ]
    await put(store, hourly, rows)
    totals = [{"hour": hour - age, "service": "shop", "severity": 2, "count": 1} for age in ages]
    await put(store, hourly_totals, totals)
    assert await end(store, clock) == {"hourly": 600, "hourly_totals": 24}
    assert (await store.read(select(func.count()).select_from(hourly)))[0][0] == 1200
    assert (await store.read(select(func.count()).select_from(hourly_totals)))[0][0] == 48


async def test_what_access_has_no_use_for_goes_and_the_audit_stays_four_hundred_days(
    store: Store, clock: FixedClock
) -> None:
    now, day = clock(), timedelta(days=1)
    account = {"id": 1, "name": "ada", "role": "admin", "created_at": LONG_AGO}
    await put(store, accounts, [account])
    opened = {"account_id": 1, "created_at": now - 20 * day, "agent": ""}
    lives = [(1, now, now + day), (2, now - 7 * day, now + day), (3, now, now), (4, now - 6 * day, now + day)]
    await put(
        store,
        sessions,
        [opened | {"hash": bytes([key]), "seen_at": seen, "expires_at": ends} for key, seen, ends in lives],
    )
    link = {"kind": "invitation", "name": "ada", "role": "admin", "detail": "", "created_at": LONG_AGO}
    await put(
        store,
        invitations,
        [link | {"hash": bytes([n]), "expires_at": now + (n - 2) * day} for n in (1, 2, 3)],
    )
    await put(
        store,
        sign_in_failures,
        [
            {"subject": bytes([hours]), "failures": 3, "last_at": now - timedelta(hours=hours), "until": now}
            for hours in (1, 23, 24, 200)
        ],
    )
    entry = {"actor": "ada", "via": "session", "action": "act.done", "object": "INC-1", "detail": ""}
    await put(
        store,
        audit_log,
        [entry | {"id": n, "at": now - days * day} for n, days in ((1, 401), (2, 399), (3, 0))],
    )
    gone = {"sessions": 2, "invitations": 2, "sign_in_failures": 2, "audit": 1}
    assert await end(store, clock) == gone
    assert await values(store, sessions.c.hash) == [b"\x01", b"\x04"]
    assert await values(store, invitations.c.hash) == [b"\x03"]
    assert await values(store, sign_in_failures.c.subject) == [bytes([1]), bytes([23])]
    assert await values(store, audit_log.c.id) == [2, 3]
    assert await values(store, accounts.c.name) == ["ada"]


async def test_silences_go_with_what_they_hid_as_long_after_their_end_as_the_audit(
    store: Store, clock: FixedClock
) -> None:
    old, young, ahead = (clock() + timedelta(days=days) for days in (-401, -399, 30))
    ends = [(1, old, None), (2, young, None), (3, ahead, old), (4, ahead, young), (5, ahead, None)]
    shared = {
        "matchers": "{}",
        "weekly": "[]",
        "starts_at": LONG_AGO,
        "also_critical": False,
        "author": "ana",
        "comment": "deploy",
        "created_at": LONG_AGO,
        "hits": 1,
    }
    await put(
        store, silences, [shared | {"id": key, "ends_at": end, "ended_at": by} for key, end, by in ends]
    )
    hit = {"incident_id": 1, "notifications": 1, "first_at": old, "last_at": old}
    await put(store, silence_hits, [hit | {"silence_id": key} for key, _, _ in ends])
    done = {"at": old, "action": "created", "actor": "ana", "note": ""}
    await put(store, silence_history, [done | {"silence_id": key} for key, _, _ in ends])
    assert await end(store, clock) == {"silences": 2}
    for column in (silences.c.id, silence_hits.c.silence_id, silence_history.c.silence_id):
        assert await values(store, column) == [2, 4, 5]
