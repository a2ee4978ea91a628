"""``producers list`` by service: a state in a word, and what all its processes add up to."""

import json
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

SERVICE: dict[str, Any] = {
    "service": "billing",
    "state": "quiet",
    "state_reason": "no_goodbye",
    "processes": 15,
    "quiet": 2,
    "last_seen_at": "2026-11-23T12:00:05Z",
    "numbered": 981,
    "missing": 2,
    "dead_lettered": 1,
    "unfollowed": 0,
    "lost": {"buffer_full": 5, "shutdown": 2},
    "spool_depth": 0,
    "sdks": ["faultwire 1.1", "other 2"],
    "unnumbered": 12,
    "dropped": {"session": 40, "log": 1},
    "clients": [
        {
            "sdk": "sentry.python 2.75.0",
            "via": "gateway",
            "last_seen_at": "2026-11-23T12:00:05Z",
            "processes": 0,
            "numbered": 0,
            "unnumbered": 12,
            "dropped": {"session": 40},
            "lost": {"ratelimit_backoff (error)": 64},
        }
    ],
}


def test_a_service_is_a_row_with_its_losses_as_text(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("producers/services", {"services": [SERVICE], "next_cursor": None})
    assert run(["producers", "list", "--service", "billing"]) == 0
    assert stub.queries("producers/services") == [{"service": ["billing"], "limit": ["50"]}]
    head, row = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shown = dict(zip(head, row, strict=True))
    assert (shown["state"], shown["state_reason"], shown["processes"]) == ("quiet", "no_goodbye", "15")
    assert (shown["lost"], shown["sdks"]) == ("5 buffer_full, 2 shutdown", "faultwire 1.1, other 2")
    assert (shown["unnumbered"], shown["dropped"]) == ("12", "40 session, 1 log")


def test_a_client_of_a_service_is_a_row(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("producers/services", {"services": [SERVICE], "next_cursor": None})
    assert run(["producers", "list", "--clients"]) == 0
    head, row = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    shown = dict(zip(head, row, strict=True))
    assert (shown["service"], shown["sdk"], shown["via"]) == ("billing", "sentry.python 2.75.0", "gateway")
    assert (shown["lost"], shown["dropped"]) == ("64 ratelimit_backoff (error)", "40 session")
    assert run(["producers", "list", "--clients", "--json"]) == 0
    (client,) = json.loads(capsys.readouterr().out)["clients"]
    assert client == {"service": "billing"} | SERVICE["clients"][0]


def test_a_worker_of_an_earlier_release_says_less(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = {name: SERVICE[name] for name in SERVICE if name not in ("unnumbered", "dropped", "clients")}
    stub.answer("producers/services", {"services": [earlier], "next_cursor": None})
    assert run(["producers", "list"]) == 0
    assert run(["producers", "list", "--clients"]) == 0
    assert "5 buffer_full" in capsys.readouterr().out


def test_processes_and_clients_are_two_lists(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["producers", "list", "--clients", "--processes"]) == 2
    assert "not both" in capsys.readouterr().err


def test_json_is_what_the_api_says(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("producers/services", {"services": [SERVICE], "next_cursor": "x"})
    assert run(["producers", "list", "--json", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["services"] == [SERVICE]
