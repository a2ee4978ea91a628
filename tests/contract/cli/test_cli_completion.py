"""Completion in a real bash, and what it offers of other people's text."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_faultwire
printf '%s\\n' "${COMPREPLY[@]}"
"""
INCIDENTS: list[dict[str, Any]] = [
    {"id": "INC-54", "service": "billing", "title": "order 17 \x1b[31mis bad"},
    {"id": "INC-55", "service": "stock", "title": "x\ty\nz"},
    {"id": "INC-56", "service": "$(touch /tmp/owned)", "title": ""},
    {"id": "`reboot`", "service": "a b", "title": ""},
]


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(["completion", "bash"]) == 0
    path = tmp_path / "completion.bash"
    path.write_text(capsys.readouterr().out)
    return path


@pytest.fixture
def known(stub: ApiStub) -> ApiStub:
    stub.answer("incidents", {"incidents": INCIDENTS, "next_cursor": None})
    event = {"id": "error_20261123_k3v9x2m7q4w8r1t6", "message": "order 18 is bad"}
    stub.answer("events", {"events": [event], "next_cursor": None})
    return stub


def offered(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", COMPLETE, "bash", str(script), "faultwire", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split("\n")[:-1]


@pytest.mark.usefixtures("known")
def test_bash_completes_commands_options_and_what_the_worker_knows(script: Path) -> None:
    assert {"incidents", "events", "doctor"} <= set(offered(script, ""))
    assert offered(script, "inc") == ["incidents"]
    assert "watch" in offered(script, "incidents", "w")
    assert "--severity" in offered(script, "incidents", "list", "--sev")
    assert offered(script, "incidents", "list", "--sort", "gr") == ["growth"]
    assert offered(script, "incidents", "list", "--severity", "cr") == ["critical"]
    assert offered(script, "incidents", "show", "INC-5") == ["INC-54", "INC-55", "INC-56"]
    assert offered(script, "events", "list", "--service", "") == ["billing", "stock"]
    assert offered(script, "events", "show", "err") == ["error_20261123_k3v9x2m7q4w8r1t6"]
    assert "service:" in offered(script, "incidents", "list", "ser")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "incidents" in capsys.readouterr().out
    assert run(["completion", "tcsh"]) == 2


def values(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What any shell is given for the last of the words, without the descriptions."""
    capsys.readouterr()
    assert run(["__complete", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.partition("\t")[0] for line in lines[lines.index("\x1fbegin") + 1 :]]


@pytest.mark.usefixtures("known")
def test_a_query_s_last_term_is_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert values(capsys, "incidents", "list", "severity:high service:") == [
        "severity:high service:billing",
        "severity:high service:stock",
    ]
    assert "service:a -is:unresolved" in values(capsys, "incidents", "list", "service:a -is:")
    assert "severity:critical" in values(capsys, "events", "tail", "severity:")
    assert {"user:", "tag.", "trace:"} <= set(values(capsys, "events", "list", ""))


def test_the_worker_of_the_command_line_is_asked(
    known: ApiStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_URL", "http://127.0.0.1:1")
    assert values(capsys, "incidents", "show", "") == []
    assert values(capsys, "incidents", "show", "--url", known.url, "")[:1] == ["INC-54"]


def test_a_worker_that_refuses_or_talks_nonsense_offers_nothing(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    nonsense: list[Any] = [[], {"incidents": "x"}, {"incidents": [1]}]
    for document in nonsense:
        stub.answer("incidents", document)
        assert values(capsys, "incidents", "show", "") == []
    stub.refuse("incidents", 401, "who are you")
    assert values(capsys, "incidents", "list", "--service", "") == []
