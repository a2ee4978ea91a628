"""``faultwire db size``: the store's growth as its operator reads it, from either database."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from faultwire_consumer.cli.application import run
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_shared.event import ErrorSeverity

pytestmark = pytest.mark.may_block("a command has a loop of its own")

HOUR = timedelta(hours=1)


async def count(url: str, rows: list[tuple[timedelta, str, ErrorSeverity, int]]) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    store = await open_store(url)
    try:
        async with store.write() as tx:
            totals = [
                {"hour": hour - ago, "service": service, "severity": severity.rank, "count": events}
                for ago, service, severity, events in rows
            ]
            await tx.execute(insert(hourly_totals), totals)
    finally:
        await store.close()


def size_of(url: str, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["db", "size", "--json", "--database-url", url, *words]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_day_is_told_by_severity_and_service_and_where_it_leads(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    high, low = ErrorSeverity.HIGH, ErrorSeverity.LOW
    rows = [
        (30 * 24 * HOUR, "shop", high, 5_000),
        (24 * HOUR, "shop", high, 6_300),
        (24 * HOUR, "billing", low, 700),
    ]
    asyncio.run(count(database_url, rows))
    found = size_of(database_url, capsys)
    assert found["events"] == 12_000
    assert found["bytes_per_event"] == found["bytes"] / 12_000
    assert (found["window_days"], found["events_per_day"]) == (7, 1_000)
    assert found["severities_per_day"] == {"low": 100, "high": 900}
    assert found["services_per_day"] == {"shop": 900, "billing": 100}
    assert found["projected_bytes"] == round(found["bytes_per_event"] * 90_000)
    assert (found["disk_free_bytes"] is None) == database_url.startswith("postgresql")


def test_a_person_reads_it_in_lines(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(24 * HOUR, f"service-{number}", ErrorSeverity.HIGH, 7_000) for number in range(22)]
    asyncio.run(count(database_url, [(8 * 24 * HOUR, "old", ErrorSeverity.LOW, 1), *rows]))
    assert run(["db", "size", "--database-url", database_url, "--project", "10d"]) == 0
    out = capsys.readouterr().out
    assert "a day, of the last 7: 22,000 events, " in out
    assert "\n  high            22,000\n  service-" in out
    assert "\n  and 2 services more (--json has them)\nin 10 days: " in out
    assert ("its disk has" in out) == database_url.startswith("sqlite")


def test_an_empty_store_says_that_it_is_too_young(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = size_of(sqlite_url, capsys)
    assert (found["events"], found["bytes_per_event"], found["events_per_day"]) == (0, None, None)
    assert run(["db", "size", "--database-url", sqlite_url]) == 0
    assert "too little to say what a day brings" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["0d", "11y", "4000d", "soon", "2h"])
def test_a_wrong_time_ahead_is_refused(
    wrong: str, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "size", "--database-url", sqlite_url, "--project", wrong]) == 2
    assert "--project: " in capsys.readouterr().err
