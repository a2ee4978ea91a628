"""`faultwire rules test` against a stub of the API: what is asked, and what is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

NOTIFICATION: dict[str, Any] = {
    "key": "all:INC-1:1:new:log", "rule": "all", "receiver": "log", "kind": "incident", "reason": "new",
    "severity": "high", "incident": "INC-1", "event_id": None, "created_at": "2026-11-23T12:00:00Z",
    "at": "2026-11-23T12:00:01Z", "state": "sent", "state_reason": None, "detail": "odd\x1b[2J",
}  # fmt: skip
REPORT: dict[str, Any] = {
    "since": "2026-11-16T12:00:00Z", "until": "2026-11-23T12:00:00Z",
    "warmed_up_from": "2026-11-09T12:00:00Z",
    "events": 1200, "acts": 3, "seconds": 1.5,
    "tally": {
        "sent": 2, "messages": 1, "by_rule": [{"name": "all", "count": 2}], "by_receiver": [],
        "by_reason": [], "stopped": [{"name": "muted", "count": 4}], "waiting": 0,
    },
    "notifications": [NOTIFICATION, NOTIFICATION], "difference": None,
    "unseen": [{"what": "bodies", "count": 7, "detail": "7 events without a body"}],
}  # fmt: skip


def rules_in(directory: Path, name: str = "rules.toml") -> str:
    file = directory / name
    file.write_text(f"# {name}\n")
    return str(file)


def test_a_file_is_tried_on_a_time_and_counts_come_first_then_each_then_what_was_not_seen(
    stub: ApiStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("rules/rehearsal", REPORT)
    assert run(["rules", "test", rules_in(tmp_path), "--since", "2d", "--show", "1"]) == 0
    ((method, path, body),) = stub.asked
    assert (method, path) == ("POST", "/api/v1/rules/rehearsal")
    assert body == {"policy": "# rules.toml\n", "since_seconds": 172800}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 notifications in 1 messages would have been sent")
    assert [line.split() for line in lines[1:3]] == [["by", "rule", "all", "2"], ["stopped", "muted", "4"]]
    assert lines[4].split()[:5] == ["2026-11-23T12:00:01Z", "all", "new", "INC-1", "log:"]
    assert "\x1b" not in lines[4]
    assert lines[5:] == ["  and 1 more: --show, or --json", "not seen: 7 events without a body"]


def test_two_files_are_compared_and_their_differences_listed(
    stub: ApiStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    difference = {
        "against": "file", "sent": 2, "new": {"count": 0, "notifications": []},
        "missing": {"count": 1, "notifications": [NOTIFICATION]},
    }  # fmt: skip
    stub.answer("rules/rehearsal", REPORT | {"difference": difference})
    other = rules_in(tmp_path, "other.toml")
    assert run(["rules", "test", rules_in(tmp_path), "--against", other]) == 0
    assert stub.asked[0][2]["against_policy"] == "# other.toml\n"
    told = capsys.readouterr().out
    assert "0 new beside file" in told
    assert "1 missing beside file" in told


def test_the_whole_report_comes_as_json(
    stub: ApiStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("rules/rehearsal", REPORT)
    assert run(["rules", "test", rules_in(tmp_path), "--against", "current", "--json"]) == 0
    assert stub.asked[0][2]["against"] == "current"
    assert json.loads(capsys.readouterr().out) == REPORT


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "test", str(tmp_path / "none.toml")]) != 0
    assert "cannot read" in capsys.readouterr().err
