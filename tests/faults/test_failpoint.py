"""Failpoints: each is listed, each is called, and nothing happens where nobody asked."""

import ast
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.servers.worker import clean_environment

from faultwire_shared.failpoint import FAILPOINTS, MARKER_VARIABLE, VARIABLE, failpoint

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("producer/faultwire", "consumer/faultwire_consumer", "shared/faultwire_shared")


def calls() -> Iterator[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "failpoint":
                    (name, *_) = node.args
                    assert isinstance(name, ast.Constant), f"{path}: a failpoint is named by a literal"
                    yield str(name.value)


def test_every_call_names_a_listed_failpoint_and_each_listed_one_is_called() -> None:
    assert set(calls()) == set(FAILPOINTS)


def test_every_failpoint_is_told_in_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in FAILPOINTS.values())


def test_nothing_happens_where_nobody_asked() -> None:
    failpoint("worker.committed")


def passing(directory: Path, setting: str, marker: str = "") -> subprocess.CompletedProcess[str]:
    """Pass a failpoint three times in another process, each time telling it."""
    code = (
        "from faultwire_shared.failpoint import failpoint\n"
        "for body in (b'one', b'two', b'three'):\n"
        "    failpoint('worker.decoding', body)\n"
        "    print(body.decode(), flush=True)\n"
    )
    environment = clean_environment(directory) | {VARIABLE: setting, MARKER_VARIABLE: marker}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("setting", "marker", "passed"),
    [
        ("worker.decoding", "", []),
        ("worker.decoding:2", "", ["one", "two"]),
        ("worker.decoding", "three", ["one", "two"]),
        ("worker.committed", "", ["one", "two", "three"]),
    ],
)
def test_the_process_dies_at_the_pass_that_the_environment_names(
    tmp_path: Path, setting: str, marker: str, passed: list[str]
) -> None:
    done = passing(tmp_path, setting, marker)
    assert done.stdout.split() == passed
    assert done.returncode == (0 if len(passed) == 3 else -signal.SIGKILL)


def test_a_name_that_does_not_exist_is_refused_at_the_start(tmp_path: Path) -> None:
    done = passing(tmp_path, "worker.comitted")
    assert done.returncode == 1
    assert "known are worker.received" in done.stderr
