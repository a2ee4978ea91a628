"""Completion in a real zsh and a real fish, as somebody at a terminal has it."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = [pytest.mark.e2e, pytest.mark.may_block("commands are synchronous")]

SECONDS: Final = 60.0
STYLE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[=>]|\][^\x07]*\x07)")


def program(name: str) -> str:
    """The path of a shell; without it the test is skipped, and fails where everything has to run."""
    found = shutil.which(name)
    told = f"{name} is not installed; `make e2e` installs it"
    if found is None and os.environ.get("CI"):
        pytest.fail(told)
    return found or pytest.skip(told)


def script_of(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["completion", shell]) == 0
    return capsys.readouterr().out


def environment(**more: str) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "dumb"} | more


@pytest.fixture
def known(stub: ApiStub) -> ApiStub:
    rows = [
        {"id": "INC-54", "service": "billing", "title": "order 17 \x1b[31mis bad"},
        {"id": "INC-56", "service": "$(touch owned)", "title": "`reboot`"},
    ]
    stub.answer("incidents", {"incidents": rows, "next_cursor": None})
    return stub


@pytest.mark.usefixtures("known")
def test_fish_completes_commands_options_and_what_the_worker_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fish, path = program("fish"), tmp_path / "faultwire.fish"
    path.write_text(script_of("fish", capsys))

    def offered(line: str) -> list[str]:
        command = [fish, "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', str(path), line]
        home = environment(HOME=str(tmp_path))
        done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=SECONDS, check=True)
        assert "\x1b" not in done.stdout
        return [each.partition("\t")[0] for each in done.stdout.splitlines()]

    assert offered("faultwire inc") == ["incidents"]
    assert "--severity" in offered("faultwire incidents list --sev")
    assert offered("faultwire incidents show INC-5") == ["INC-54", "INC-56"]
    assert offered("faultwire incidents resolve INC-5") == ["INC-54", "INC-56"]
    assert offered("faultwire events list --service b") == ["billing"]
    assert not [*tmp_path.glob("owned")]


class Terminal:
    """A shell at work on a terminal."""

    def __init__(self, ours: int) -> None:
        self._ours, self._read = ours, ""

    def type(self, keys: str) -> None:
        self._read = ""
        os.write(self._ours, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Everything that was written since the last keys, once it has what is waited for."""
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self._read):
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, self._read
            self._read += STYLE.sub("", os.read(self._ours, 65_536).decode(errors="replace"))
        return self._read


@contextmanager
def zsh_at(folder: Path) -> Iterator[Terminal]:
    ours, its = pty.openpty()
    home = environment(HOME=str(folder), ZDOTDIR=str(folder))
    process = subprocess.Popen(
        [program("zsh"), "-f", "-i"], stdin=its, stdout=its, stderr=its, env=home, cwd=folder
    )
    os.close(its)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("way", ["source ./_faultwire", "compinit -u"])
def test_zsh_completes_commands_options_and_what_the_worker_knows(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "_faultwire").write_text(script_of("zsh", capsys))
    with zsh_at(tmp_path) as zsh:
        folder = "" if "source" in way else "fpath=($PWD $fpath); "
        zsh.type(f"PS1='ready> '; {folder}autoload -Uz compinit; compinit -u; {way}\n")
        zsh.wait_for(r"[\r\n]ready> ")
        zsh.type("faultwire inc\t")
        zsh.wait_for("faultwire incidents ")
        zsh.type("show INC-5\t\t")
        listed = zsh.wait_for("INC-56 -- ")
        assert "INC-54 -- order 17" in listed
        zsh.type("\x15faultwire incidents resolve INC-54 --no\t")
        zsh.wait_for("--note")
        assert not [*tmp_path.glob("owned")]
