"""Lists on real terminals: a row is a line, ids are whole, and what does not fit is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub
from tests.tools.terminal import columns_of, run_on_terminal

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

NOW = datetime.now(UTC)
EVENT_ID = "error_20261123_k3v9x2m7q4w8r1t6"
HOSTILE = (
    "plain",
    "a title that is longer than any terminal is wide: " + "lorem ipsum " * 15,
    "決済ゲートウェイが注文を拒否しました " * 8,
    "\U0001f525\U0001f469\u200d\U0001f4bb\u2764\ufe0f\U0001f44d\U0001f3fd " * 12,
    "שגיאה בתשלום \u202e" * 9,
    "\x1b[2J\x1b]0;owned\x07\rover\nline " * 9,
    "e" + "\u0301" * 150,
)


def incident(number: int, title: str, **values: Any) -> dict[str, Any]:
    return {
        "id": f"INC-{number}",
        "service": "payment-gateway-europe",
        "title": title,
        "severity": "critical",
        "status": "acknowledged",
        "count": 123_456,
        "first_seen_at": (NOW - timedelta(days=7)).isoformat(),
        "last_seen_at": (NOW - timedelta(days=3, hours=5)).isoformat(),
        **values,
    }


@pytest.fixture
def incidents(stub: ApiStub) -> ApiStub:
    rows = [incident(number, title) for number, title in enumerate(HOSTILE, start=1)]
    stub.answer("incidents", {"incidents": rows, "next_cursor": "WyJpbmNpZGVudHMi" * 8})
    return stub


@pytest.mark.usefixtures("incidents")
@pytest.mark.parametrize("columns", [60, 80, 100, 180])
def test_a_row_is_one_line_whatever_its_title_holds(columns: int) -> None:
    screen = run_on_terminal("incidents", "list", "-q", columns=columns)
    head, *rows = screen.lines
    assert head.split()[:2] == ["id", "severity"]
    assert [row.split()[0] for row in rows] == [f"INC-{number}" for number in range(1, len(HOSTILE) + 1)]
    assert all("critical" in row and "payment-gateway-europe" in row for row in rows)
    assert columns < 80 or all("3 d" in row for row in rows)
    assert max(columns_of(line) for line in screen.lines) <= columns
    assert rows[1].endswith("…")


@pytest.mark.usefixtures("incidents")
def test_what_is_hidden_is_said_and_wide_shows_it() -> None:
    narrow = run_on_terminal("incidents", "list", columns=80)
    assert "2 columns hidden (status, first seen): --wide" in narrow.lines
    wide = run_on_terminal("incidents", "list", "--wide", columns=80)
    assert "hidden" not in wide.raw
    assert "acknowledged" in wide.lines[1]
    assert HOSTILE[1].strip() in wide.lines[2]
    assert (NOW - timedelta(days=7)).isoformat() in wide.lines[1]


@pytest.mark.usefixtures("incidents")
def test_the_cursor_stands_alone_on_its_line() -> None:
    screen = run_on_terminal("incidents", "list", columns=80)
    at = screen.lines.index("more, by the same command and:")
    assert screen.lines[at + 1] == f"--cursor={'WyJpbmNpZGVudHMi' * 8}"


@pytest.mark.usefixtures("incidents")
def test_nothing_is_cut_or_made_an_age_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "list", "-q"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[1][-1] == HOSTILE[1]
    assert rows[0][5] == (NOW - timedelta(days=3, hours=5)).isoformat()


def test_no_escape_of_a_stranger_reaches_the_terminal(incidents: ApiStub) -> None:
    incidents.answer("incidents", {"incidents": [incident(1, HOSTILE[5], service="\x1b[8m")]})
    screen = run_on_terminal("incidents", "list", "--no-color", columns=180)
    assert "\\x1b[2J" in screen.raw
    assert not any(bad in screen.raw.replace("\x1b[1m", "").replace("\x1b[0m", "") for bad in "\x1b\x07")


def test_an_event_s_id_is_whole_at_80_columns(stub: ApiStub) -> None:
    event = {
        "id": EVENT_ID,
        "incident_id": "INC-54",
        "severity": "high",
        "service": "billing",
        "environment": "production",
        "release": "2026.11.29-1",
        "count": 1,
        "body_kept": True,
        "occurred_at": NOW.isoformat(),
        "title": "ConnectionError: " + "x" * 200,
    }
    stub.answer("events", {"events": [event], "next_cursor": None})
    head, row, hidden = run_on_terminal("events", "list", columns=80).lines
    assert row.startswith(f"{EVENT_ID}  high      billing")
    assert len(row) <= 80
    assert head.endswith("message")
    assert "hidden" in hidden


def test_producers_show_their_service_and_host_at_80_columns(stub: ApiStub) -> None:
    producer = {
        "id": "94f0c1d2e3a4b5c6",
        "service": "billing",
        "host": "web-3.example.internal",
        "state": "reports",
        "last_seen_at": NOW.isoformat(),
        "last_report_at": None,
        "last_sequence": 981,
        "missing": 2,
        "dead_lettered": 1,
        "lost": {"buffer_full": 5, "shutdown": 2},
        "spool_depth": 0,
    }
    stub.answer("producers", {"producers": [producer], "next_cursor": None})
    _, row, *_ = run_on_terminal("producers", "list", "--processes", columns=80).lines
    assert row.startswith("billing")
    assert "94f0c1d2e3a4b5c6" in row
    assert len(row) <= 80


def test_nothing_found_is_said(stub: ApiStub) -> None:
    stub.answer("incidents", {"incidents": [], "next_cursor": None})
    assert run_on_terminal("incidents", "list", columns=80).lines == ["nothing matches"]
