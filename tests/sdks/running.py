"""Starts the programs of this folder and waits for them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.servers.process import ServerProcess, reserve_port, run, run_status
from tests.servers.worker import clean_environment
from tests.tools.serving import ask

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = "tests.sdks.programs"


def environment_of(home: Path, settings: dict[str, str]) -> dict[str, str]:
    """A program's environment: where to report to, and nothing of this session's own."""
    clean = clean_environment(home).items()
    ours = {name: value for name, value in clean if not name.startswith(("SENTRY_", "OTEL_"))}
    return ours | {"PYTHONPATH": str(ROOT)} | settings


def run_python(name: str, home: Path, settings: dict[str, str], *, fails: bool = False) -> None:
    """Run a program of Python's to its end, which is an error that nobody catches where it ``fails``."""
    run_to_end([sys.executable, "-m", f"{PROGRAMS}.{name}"], home, settings, fails=fails)


def run_to_end(command: list[str], home: Path, settings: dict[str, str], *, fails: bool = False) -> None:
    """Run a command to its end."""
    environment = environment_of(home, settings)
    if fails:
        assert not run_status(command, environment), "nobody caught it, and it says so"
    else:
        run(command, environment)


@contextmanager
def serving(command: tuple[str, ...], home: Path, settings: dict[str, str]) -> Iterator[str]:
    """The address of a web host; ``PORT`` in its command is a free one."""
    port = str(reserve_port())
    url = f"http://127.0.0.1:{port}"
    words = [sys.executable, *(word.replace("PORT", port) for word in command)]
    process = ServerProcess(words, environment_of(home, settings), home / "host.log")
    try:
        process.wait_until(lambda: _answers(url), "the host answers")
        yield url
    finally:
        process.end()


def _answers(url: str) -> bool:
    try:
        return ask(f"{url}/fine")[0] == 200
    except OSError:
        return False
