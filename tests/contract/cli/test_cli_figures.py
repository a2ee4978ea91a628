"""``releases list`` and ``stats`` over what the API counts."""

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")


def test_releases_are_listed_with_what_each_brought(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"service": "billing", "release": "2.4.1", "new_incidents": 3, "regressed": 1, "count": 40}
    times = {"first_seen_at": "2026-11-23T10:00:00Z", "last_seen_at": "2026-11-23T12:00:00Z"}
    worst = {"id": "INC-5", "title": "E\x1b[2J", "severity": "high", "count": 3}
    news = {"worse": None, "ended": 2, "per_hour_before": None, "per_hour_after": 8.25, "worst": worst}
    stub.answer("releases", {"releases": [row | times | news], "counted_since": None, "next_cursor": None})
    assert run(["releases", "list", "--service", "billing", "--limit", "7"]) == 0
    assert stub.queries("releases") == [{"service": ["billing"], "limit": ["7"]}]
    head, line = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shown = dict(zip(head, line, strict=True))
    assert (shown["new_incidents"], shown["worse"], shown["ended"]) == ("3", "", "2")
    assert (shown["per_hour"], shown["worst"]) == ("? -> 8.25", "INC-5 E\\x1b[2J")


def test_stats_are_bars_and_counts(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "since": "2026-11-23T10:00:00Z",
        "until": "2026-11-23T13:00:00Z",
        "counted_since": None,
        "count": 1009,
        "severities": {"high": 1000, "low": 9},
        "services": [{"service": "a\x1b[2J", "count": 1000}, {"service": "b", "count": 5}],
        "other_services": 4,
        "hours": [{"hour": "x", "count": 0}, {"hour": "y", "count": 1000}, {"hour": "z", "count": 9}],
    }
    stub.answer("stats", document)
    assert run(["stats", "--since", "3h", "--service", "a"]) == 0
    assert stub.queries("stats") == [{"service": ["a"], "since": ["3h"]}]
    out = capsys.readouterr().out
    assert out.startswith("1,009 events from 2026-11-23T10:00:00Z to 2026-11-23T13:00:00Z\n")
    assert "by hour    ·█▁\n" in out
    assert "high       1,000\n" in out
    assert "and 4 of other services" in out
    assert "\x1b" not in out
