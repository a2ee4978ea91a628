"""The commands of the dead-letter desk against a real application."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faultwire_consumer.cli import dead_letters, stdin
from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

LETTER: dict[str, Any] = {
    "id": 3,
    "reason": "invalid_event",
    "detail": "Expected `int` at $.count",
    "status": "waiting",
    "service": "billing",
    "body": '{"count": "ma\x1b[31mny"}',
    "place": {
        "path": "$.count",
        "offset": 10,
        "length": 12,
        "line": 1,
        "column": 11,
        "before": '{"count": ',
        "wrong": '"ma\x1b[31mny"',
        "after": "}",
    },
    "fields": {"service": '"billing"'},
    "edited_body": None,
    "history": [],
}


class Asked:
    """Stands for the worker: keeps what was asked, and answers."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.gets: list[dict[str, Any]] = []
        self.detail = "a replay would keep it: 1 would be stored"

    def get(self, *path: str, **parameters: Any) -> Any:
        self.gets.append(parameters)
        if path[-1] == "dead-letters":
            return {"dead_letters": [{"id": 7}, {"id": 3}], "next_cursor": None}
        if path[-1] == "reasons":
            return {"reasons": [{"reason": "invalid_event", "count": 12, "cure": "mend its publisher"}]}
        return LETTER

    def post(self, *path: str, body: dict[str, Any]) -> Any:
        self.posts.append(("/".join(path[3:]), body))
        outcome = {"edit": "edited", "replay": "would_replay", "discard": "discarded"}[path[-1]]
        return LETTER | {
            "id": path[-2],
            "outcome": outcome,
            "detail": self.detail,
            "examined": "it was read" if body.get("dry_run") else "",
        }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(dead_letters, "ApiClient", lambda _: asked)
    monkeypatch.setenv("LOGNAME", "ada")
    return asked


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def test_what_is_wrong_is_underlined_and_nothing_steers_the_terminal(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dead-letters", "show", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("wrong at $.count, line 1, column 11")
    assert lines[at + 1] == '  {"count": "ma\\x1b[31mny"}'
    assert lines[at + 2] == " " * 12 + "^" * 14
    assert "\x1b" not in "".join(lines)
    assert any(line.split() == ["service", '"billing"'] for line in lines)


def test_a_body_is_edited_in_the_user_s_editor(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf \'{"count": 3}\' > "$2"\n')
    editor.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{editor} --wait")
    assert run(["dead-letters", "edit", "3", "--why", "a number"]) == 0
    ((path, body),) = asked.posts
    assert (path, body["body"], body["why"], body["actor"]) == ("3/edit", '{"count": 3}', "a number", "ada")
    assert capsys.readouterr().err == "3 edited: a replay would keep it: 1 would be stored\n"


@pytest.mark.parametrize("editor", ["true", "false", "/nowhere/editor"])
def test_an_editor_that_changes_nothing_or_fails_sends_nothing(
    asked: Asked, editor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    assert run(["dead-letters", "edit", "3"]) != 0
    assert asked.posts == []
    assert capsys.readouterr().err.count("\n") == 1


def test_a_correction_that_would_still_fail_is_exit_1(
    asked: Asked, tmp_path: Path, give: Callable[[bytes], None]
) -> None:
    asked.detail = "a replay would fail: invalid_event"
    file = tmp_path / "body.json"
    file.write_text("{}")
    assert run(["dead-letters", "edit", "3", "--file", str(file), "-q"]) == 1
    give(b"[]")
    assert run(["dead-letters", "edit", "3", "--file", "-", "-q", "--dry-run"]) == 1
    assert [body["body"] for _, body in asked.posts] == ["{}", "[]"]
    assert run(["dead-letters", "edit", "3", "--file", str(tmp_path / "none")]) == 2
    give(b"\xff")
    assert run(["dead-letters", "edit", "3", "--file", "-"]) == 2
    assert len(asked.posts) == 2


def test_ids_come_from_standard_input_and_stand_beside_others(
    asked: Asked, give: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    give(b"4\n5 6\n")
    assert run(["dead-letters", "replay", "3", "-", "--accept-old", "--dry-run"]) == 0
    assert [path for path, _ in asked.posts] == [f"{one}/replay" for one in (3, 4, 5, 6)]
    assert all(body["accept_old"] and body["dry_run"] for _, body in asked.posts)
    assert capsys.readouterr().err.splitlines()[-1] == "a dry run: it was read"
    give(b"")
    assert run(["dead-letters", "discard", "-"]) == 2
    give(b"1 " * (stdin.IDS_MAX + 1))
    assert run(["dead-letters", "discard", "-"]) == 2
    assert len(asked.posts) == 4


def test_all_of_a_service_are_discarded_with_a_reason(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dead-letters", "discard", "--all", "--service", "billing", "--why", "a load test's", "--json"]
    assert run(words) == 0
    assert asked.gets[0]["service"] == ("billing",)
    assert [(path, body["why"]) for path, body in asked.posts] == [
        ("3/discard", "a load test's"),
        ("7/discard", "a load test's"),
    ]
    assert len(json.loads(capsys.readouterr().out)["dead_letters"]) == 2
    assert run(["dead-letters", "discard", "3", "--service", "billing"]) == 2


def test_reasons_are_counted_with_what_mends_them(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dead-letters", "reasons", "--status", "all", "--service", "billing"]) == 0
    out = capsys.readouterr().out
    for said in ("12", "invalid_event", "mend its publisher"):
        assert said in out
    assert asked.gets == [{"status": "all", "service": ("billing",)}]
