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


def test_json_is_what_the_api_says(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("producers/services", {"services": [SERVICE], "next_cursor": "x"})
    assert run(["producers", "list", "--json", "--limit", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["services"] == [SERVICE]
