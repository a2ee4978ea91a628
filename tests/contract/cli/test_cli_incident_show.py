"""``incidents show`` on one screen, with what the worker's answer has; and the orders of the list."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.incident_view import counts_in, draw_bars, state_of

pytestmark = pytest.mark.may_block("commands are synchronous")

NOW = datetime.now(UTC)
EVENT_ID = "error_20261123_k3v9x2m7q4w8r1t6"


def ago(**time: int) -> str:
    return (NOW - timedelta(**time)).isoformat()


HISTORY = [
    {"at": ago(days=9), "actor": "worker", "reason": "opened", "event_id": EVENT_ID, "after": "open"},
    {"at": ago(days=5), "actor": "ada", "reason": "resolve", "event_id": None, "after": "resolved"},
]
INCIDENT: dict[str, Any] = {
    "id": "INC-54",
    "title": "PaymentError: order 17 \x1b[31mis bad",
    "severity": "high",
    "status": "open",
    "service": "billing",
    "category": "external",
    "code": "REFUSED",
    "culprit": "shop.pay in charge",
    "count": 1234,
    "episode": 2,
    "first_seen_at": ago(days=9),
    "last_seen_at": ago(days=3),
    "environments": ["production", "staging"],
    "more_environments": 2,
    "releases": ["1.0", "1.1"],
    "more_releases": 0,
    "history": HISTORY,
}
FIGURES = {
    "users": {"count": 60, "exact": False},
    "assignee": "ada",
    "releases": [
        {"release": "1.0", "count": 1000, "first_seen_at": ago(days=9), "last_seen_at": ago(days=4)}
    ],
    "tags": [
        {"name": "region", "values": [{"value": "eu", "count": 3}, {"value": "us", "count": 1}], "other": 0}
    ],
}
EVENT = {
    "id": EVENT_ID,
    "occurred_at": ago(days=3),
    "exceptions": [
        {
            "type": "PaymentError",
            "value": "order 17",
            "frames": [
                {"file": "lib.py", "line": 1, "qualname": "send", "in_app": False},
                {"file": "shop.py", "line": 2, "qualname": "pay"},
            ],
        },
        {"type": "TimeoutError", "frames": [{"file": "net.py", "line": 3, "qualname": "read"}]},
    ],
}
ALERT = {
    "id": 9,
    "state": "waiting",
    "state_reason": None,
    "receiver": "pager",
    "reason": "growth",
    "rule": "high",
    "created_at": ago(days=4),
    "due_at": (NOW + timedelta(days=2, hours=1)).isoformat(),
}


def answer(stub: ApiStub, **more: Any) -> None:
    stub.answer("incidents/INC-54", INCIDENT | more)
    stub.answer("incidents/INC-54/events", {"events": [{"id": EVENT_ID, "body_kept": True}]})
    stub.answer(f"events/{EVENT_ID}", EVENT)
    stub.answer("alerts", {"alerts": [ALERT], "next_cursor": None})


def test_the_screen_says_what_the_answer_has(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    answer(stub)
    assert run(["incidents", "show", "INC-54"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "INC-54  PaymentError: order 17 \\x1b[31mis bad",
        "Open, came back (episode 2), high, in billing (production, staging and 2 more)",
        "Seen 1,234 times, last 3 d ago, first 9 d ago",
        "kind      REFUSED · external · shop.pay in charge",
        "releases  1.0, 1.1",
        "told      4 d ago  pager: growth, waiting, due in 2 d",
    ]
    assert "history   5 d ago  resolve by ada" in lines
    assert f"          9 d ago  opened by worker  {EVENT_ID}" in lines
    assert lines[-4:] == [
        f"newest event {EVENT_ID}, 3 d ago",
        "PaymentError: order 17",
        "  shop.py:2 in pay",
        "  1 more call, its cause: --trace",
    ]
    assert stub.queries("alerts") == [{"incident": ["INC-54"], "limit": ["5"]}]


def test_figures_are_shown_where_the_worker_has_them(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(stub, **FIGURES)
    stub.answer("incidents/INC-54/trend", {"hours": [{"count": n} for n in (0, 1, 8)], "week": [7, 0]})
    assert run(["incidents", "show", "INC-54"]) == 0
    out = capsys.readouterr().out
    assert "; ada has it\n" in out
    assert "by about 60 users\n" in out
    assert "trend     24 h ·▂█  9\n          7 d  █·  7\n" in out
    assert "releases  1.0  1,000, first 9 d ago\n" in out
    assert "tags      region: eu 75 %, us 25 %\n" in out


def test_the_whole_trace_comes_on_request(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    answer(stub)
    assert run(["incidents", "show", "INC-54", "--trace"]) == 0
    out = capsys.readouterr().out
    assert "lib.py:1 in send" in out
    assert "caused by TimeoutError" in out
    assert "--trace" not in out


def test_an_incident_whose_events_are_gone_is_shown_without(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("incidents/INC-54", INCIDENT)
    stub.answer("incidents/INC-54/events", {"events": []})
    stub.refuse("alerts", 403, "not yours to see")
    assert run(["incidents", "show", "INC-54"]) == 0
    out = capsys.readouterr().out
    assert "newest event" not in out
    assert "told" not in out


def test_the_state_says_who_changed_it_when_and_what_it_holds_for() -> None:
    resolved = INCIDENT | {"status": "resolved", "resolved_in": {"release": "2.0", "bound": "from"}}
    told = state_of(resolved | {"muted": {"ends": "until 100 more"}, "assignee": None}, NOW)
    assert told.startswith("Resolved by ada 5 d ago in 2.0, high, in billing")
    assert told.endswith("; nobody has it; muted until 100 more")


def test_bars_show_that_there_was_one() -> None:
    assert draw_bars([]) == ""
    assert draw_bars([0, 0]) == "··"
    assert draw_bars([1, 1000, 500]) == "▁█▅"
    assert counts_in("12") == counts_in(None) == []


def test_orders_and_states_reach_the_worker(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("incidents", {"incidents": [INCIDENT | FIGURES], "next_cursor": None})
    assert run(["incidents", "list", "service:a", "--new", "--regressed", "--sort", "growth"]) == 0
    (asked,) = stub.queries("incidents")
    assert asked == {"query": ["service:a is:new is:regressed"], "sort": ["growth"], "limit": ["50"]}
    head, row = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shown = dict(zip(head, row, strict=True))
    assert (shown["users"], shown["assignee"]) == ("~60", "ada")
    assert run(["incidents", "list", "--sort", "grwth"]) == 2
    assert "did you mean growth?" in capsys.readouterr().err


def test_the_address_of_a_page_is_printed_without_a_password(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(stub)
    secret = stub.url.replace("://", "://ada:hunter2@")
    assert run(["open", "INC-54", "--url", secret]) == 0
    assert run(["open", EVENT_ID, "--url", secret]) == 0
    assert capsys.readouterr().out == f"{stub.url}/incidents/INC-54\n{stub.url}/e/{EVENT_ID}\n"
    assert run(["open", "INC-55"]) == 1


def test_the_address_of_a_new_issue_in_the_tracker_is_printed(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://git.example/shop/issues/new?title=ValueError%3A+bad"
    stub.answer("incidents/INC-54/new-issue", {"id": "INC-54", "url": url})
    assert run(["open", "INC-54", "--tracker"]) == 0
    assert capsys.readouterr().out == f"{url}\n"
    assert run(["open", "INC-54", "--tracker", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "INC-54", "url": url}
    assert run(["open", EVENT_ID, "--tracker"]) == 2
    assert "takes an incident" in capsys.readouterr().err


def test_the_issue_of_an_incident_stands_on_its_screen(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(stub)
    stub.answer("incidents/INC-54", INCIDENT | {"link": "https://git.example/shop/issues/7"})
    assert run(["incidents", "show", "INC-54"]) == 0
    assert "issue     https://git.example/shop/issues/7" in capsys.readouterr().out.splitlines()
