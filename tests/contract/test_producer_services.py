"""Producers by service in the store: sums, states that SQL and Python judge alike, paging, who is quiet."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, select

from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.domain.producer.state import ProducerState, judge_producer
from faultwire_consumer.store.audit.producers import DEAD_LETTERED
from faultwire_consumer.store.audit.service_clients import CLIENTS_SHOWN, SDKS_SHOWN
from faultwire_consumer.store.audit.service_list import (
    QUIET_FOR,
    count_quiet_services,
    is_quiet,
    list_services,
)
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import producers, sequence_gaps

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def process(
    name: str, service: str, seen: float, reported: float | None = None, **values: Any
) -> dict[str, Any]:
    """A process that was seen, and last reported, so many seconds ago."""
    counts = {name: json.dumps(values.pop(name, {})) for name in ("lost", "dropped")}
    return {
        "producer_id": name,
        "service": service,
        "host": "web-1",
        "first_seen_at": NOW - timedelta(days=1),
        "last_seen_at": NOW - timedelta(seconds=seen),
        "last_report_at": None if reported is None else NOW - timedelta(seconds=reported),
        "last_sequence": 10,
        "gaps": 0,
        "spool_depth": 0,
        "unfollowed": 0,
        "sdk": None,
        "via": None,
        "unnumbered": 0,
        **counts,
        **values,
    }


async def keep(store: Store, *rows: dict[str, Any]) -> None:
    async with store.write() as tx:
        await tx.execute(insert(producers), list(rows))


async def test_a_service_adds_its_processes_up_and_stands_as_the_last_seen(store: Store) -> None:
    await keep(
        store,
        process("a", "billing", 200, lost={"shutdown": 2}, spool_depth=3, sdk="faultwire 1.1"),
        process("b", "billing", 600, 600, lost={"shutdown": 1, "buffer_full": 4}, sdk="faultwire 1.0"),
        process("c", "cron", 300, 300),
        process("d", "cron", 900),
    )
    gap = {"opened_at": NOW, "closed_at": None, "reason": None, "event_id": None}
    async with store.write() as tx:
        rows = [
            gap | {"producer_id": "a", "first": 3, "last": 7, "state": GapState.OPEN.value},
            gap
            | {"producer_id": "b", "first": 1, "last": 2, "state": GapState.REPORTED.value}
            | {"reason": DEAD_LETTERED},
        ]
        await tx.execute(insert(sequence_gaps), rows)
    billing, cron = (await list_services(store, limit=10, now=NOW)).rows
    assert (billing.service, billing.verdict.state, billing.processes, billing.quiet) == (
        "billing",
        ProducerState.QUIET,
        2,
        1,
    )
    assert (billing.numbered, billing.missing, billing.dead_lettered, billing.spool_depth) == (20, 5, 2, 3)
    assert billing.lost == {"buffer_full": 4, "shutdown": 3}
    assert billing.sdks == ("faultwire 1.1", "faultwire 1.0")
    assert billing.last_seen_at == NOW - timedelta(seconds=200)
    assert (cron.verdict.state, cron.quiet, cron.lost, cron.sdks) == (ProducerState.SETTLED, 1, {}, ())


async def test_the_database_and_python_judge_every_process_alike(store: Store) -> None:
    seen, reported, depth = (0, 89, 90, 91, 3600), (None, 0, 90, 91, 180, 181, 3690, 3691), (0, 4)
    cases = list(product(seen, reported, depth))
    await keep(
        store,
        *(
            process(f"{number}", "s", one, said, spool_depth=on_disk)
            for number, (one, said, on_disk) in enumerate(cases)
        ),
    )
    rows = await store.read(select(producers, is_quiet(store.name, NOW).label("quiet")))
    assert len(rows) == len(cases)
    for row in rows:
        verdict = judge_producer(
            last_seen_at=row.last_seen_at,
            last_report_at=row.last_report_at,
            spool_depth=row.spool_depth,
            now=NOW,
        )
        assert bool(row.quiet) is (verdict.state is ProducerState.QUIET), row


async def test_clients_are_told_apart_by_version_and_by_who_reports_for_them(store: Store) -> None:
    gateway: dict[str, Any] = {"sdk": "sentry.python 2.75.0", "via": "gateway", "last_sequence": 0}
    lost, other = {"ratelimit_backoff (error)": 64}, {"queue_overflow (error)": 2}
    await keep(
        store,
        process("g1", "shop", 60, 60, **gateway, unnumbered=7, dropped={"session": 3}, lost=lost),
        process("g2", "shop", 30, 30, **gateway, unnumbered=5, dropped={"session": 1, "log": 9}, lost=other),
        process("g3", "shop", 900, 900, **gateway | {"sdk": "sentry.python 2.0.0"}),
        process("own", "shop", 200, 200, sdk="faultwire-python 1.0", lost={"buffer_full": 1}),
        process("new", "shop", 400),
    )
    (shop,) = (await list_services(store, limit=10, now=NOW)).rows
    assert (shop.processes, shop.numbered, shop.unnumbered) == (2, 20, 12)
    assert shop.dropped == {"log": 9, "session": 4}
    assert shop.lost == {"ratelimit_backoff (error)": 64, "queue_overflow (error)": 2, "buffer_full": 1}
    assert shop.sdks == ("sentry.python 2.75.0", "faultwire-python 1.0", "sentry.python 2.0.0")
    first, own, last = shop.clients
    assert (first.sdk, first.via, first.processes, first.unnumbered) == (
        "sentry.python 2.75.0",
        "gateway",
        0,
        12,
    )
    assert first.last_seen_at == NOW - timedelta(seconds=30)
    assert (first.dropped, first.lost) == ({"log": 9, "session": 4}, lost | other)
    assert (own.via, own.processes, own.numbered, own.lost) == (None, 1, 10, {"buffer_full": 1})
    assert (last.sdk, last.dropped, last.lost) == ("sentry.python 2.0.0", {}, {})


async def test_of_very_many_clients_those_seen_last_are_listed(store: Store) -> None:
    await keep(
        store,
        *(process(f"{number}", "s", 5 + number, 5 + number, sdk=f"x {number}") for number in range(60)),
        *(process(f"o{number}", "other", 900, sdk=f"x {number}") for number in range(60)),
    )
    found = (await list_services(store, limit=10, now=NOW)).rows
    assert [len(one.clients) for one in found] == [CLIENTS_SHOWN, CLIENTS_SHOWN]
    assert found[0].clients[-1].sdk == f"x {CLIENTS_SHOWN - 1}"


async def test_services_that_went_quiet_lately_are_counted(store: Store) -> None:
    assert await count_quiet_services(store, now=NOW) == 0
    long_ago = QUIET_FOR.total_seconds() + 60
    await keep(
        store,
        process("a", "quiet", 200),
        process("b", "quiet", 300, 300),
        process("c", "alive", 5),
        process("d", "alive", 400),
        process("e", "settled", 400, 400),
        process("f", "settled", 800),
        process("g", "forgotten", long_ago),
    )
    assert await count_quiet_services(store, now=NOW) == 1


async def test_services_are_paged_from_the_last_heard(store: Store) -> None:
    names = ["\n", "plain", "a" * 200, "\N{FACE WITH TEARS OF JOY}", "\u202ename"]
    await keep(
        store,
        *(process(f"{number}", name, 10 * (number // 2)) for number, name in enumerate(names)),
        *(process(f"x{number}", name, 900) for number, name in enumerate(names)),
    )
    found, cursor = [], None
    while True:
        page = await list_services(store, limit=2, now=NOW, cursor=cursor)
        found += [row.service for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == sorted(names)
    assert set(found[:2]) == set(names[:2])
    only = await list_services(store, service=["plain"], limit=10, now=NOW)
    assert [(row.service, row.processes) for row in only.rows] == [("plain", 2)]


async def test_sums_beyond_all_bounds_are_listed_too(store: Store) -> None:
    most = 2**63 - 1
    big: dict[str, Any] = {"last_sequence": most, "unnumbered": most}
    big |= {"lost": {"a": most}, "dropped": {"b": most}}
    await keep(store, *(process(f"{number}", "s", 5, **big) for number in range(3)))
    await keep(store, *(process(f"sdk{number}", "s", 60 + number, sdk=f"x {number}") for number in range(9)))
    (found,) = (await list_services(store, limit=10, now=NOW)).rows
    assert (found.numbered, found.unnumbered, found.lost, found.dropped) == (
        most,
        most,
        {"a": most},
        {"b": most},
    )
    assert found.sdks == tuple(f"x {number}" for number in range(SDKS_SHOWN))


@pytest.mark.parametrize("cursor", ["nonsense", "WyJwcm9kdWNlcnMiLDEsImEiXQ"])
async def test_a_cursor_of_another_list_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await list_services(store, limit=2, now=NOW, cursor=cursor)
