"""``faultwire rules``: what is wrong, what may not be meant, and what a worker has in use."""

from pathlib import Path
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")


def test_everything_that_is_wrong_with_rules_is_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[receivers.log]\ntype = "log"\ntpe = 3\n[rules.a]\non = "nwe"\nsend = "now"\n')
    assert run(["rules", "check", str(rules)]) == 78
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("faultwire: ")
    assert f"{rules}:3: receivers.log.tpe: unknown key 'tpe'; did you mean type?" in first
    assert f"{rules}:5: rules.a.on: 'nwe' is not one of" in second


def test_rules_that_may_not_be_meant_are_warned_of_and_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.toml"
    log = '[receivers.log]\ntype = "log"\n'
    rules.write_text(
        f'{log}{log.replace("log]", "ops]")}[rules.a]\non = "new"\nsend = "now"\nreceivers = "log"\n'
    )
    assert run(["rules", "check", str(rules)]) == 0
    fine, warning = capsys.readouterr().err.splitlines()
    assert fine.endswith("is fine: 1 rules, 2 receivers")
    assert warning == f"warning: {rules}:3: receivers.ops: no rule tells it anything"


def test_rules_that_are_shown_say_that_their_file_is_broken(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = {
        "name": "team", "type": "log", "signed": False,
        "quiet_hours": ["every day 22:00 to 07:00 UTC"], "digest": "at 07:00", "owners": ["ada"],
        "hears": [], "own_templates": False, "template_fault": None,
    }  # fmt: skip
    rule: dict[str, Any] = {
        "name": "a", "where": {}, "on": ["new"], "counts": None, "send": "now", "remind_every": None,
        "owner_first": True, "receivers": ["team"], "escalate_after": None, "escalate_to": [], "unless": None,
    }  # fmt: skip
    stub.answer("rules", {
        "receivers": [receiver], "rules": [rule], "file": "rules.toml", "read_at": "2026-11-23T12:00:00Z",
        "wrong": "rules.toml:3: not TOML", "wrong_since": "2026-11-23T13:00:00Z", "inhibits": [],
    })  # fmt: skip
    assert run(["rules", "show"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("the file cannot be used since 2026-11-23T13:00:00Z, these rules are older:")
    for words in ("yes, and these else", "every day 22:00 to 07:00 UTC", "at 07:00", "ada"):
        assert words in shown
