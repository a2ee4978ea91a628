"""A call's cost for its caller as users have it: default options, a log line that is read, spool and broker.

Beside it stands what is left of it without each of its parts. What `test_capturing.py` measures is the client
alone: no log line, confirmed in memory, storms not watched.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.benchmarks import hosting
from tests.benchmarks.report import report
from tests.benchmarks.test_capturing import quantile
from tests.servers.process import temporary_home
from tests.servers.worker import clean_environment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
BLOCKS: Final = 6
CALLS: Final = 100
ROOT: Final = Path(__file__).parents[2]
PACES: Final = {"at every turn of the loop": 0.0, "each 2 ms": 0.002}
WITHOUT: Final = {
    "unlogged": "without a log line",
    "own line": "with configure_logging's line in place of basicConfig's",
    "unspooled": "without the spool",
    "in memory": "confirmed in memory, without a spool",
}

USERS: Final = "users'"
SILENT: Final = ("sentry", "unlogged")

Took = dict[str, list[float]]


class Candidate:
    """A process that takes its turns, and whose stderr is read while it writes."""

    def __init__(self, name: str, url: str, home: Path) -> None:
        command = [sys.executable, hosting.__file__, name, url]
        pipe = subprocess.PIPE
        environment = clean_environment(home) | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=home
        )
        self.log: list[str] = []
        self.errors = hosting.KINDS
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def turn(self, kind: str, pause: float) -> Took:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.errors += hosting.WARM_UP + CALLS
        self._process.stdin.write(f"{kind} {CALLS} {pause}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.log[-30:]
        took: Took = json.loads(answer)
        return took

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        assert self._process.returncode == 0, self.log[-30:]

    @property
    def traces(self) -> int:
        """The errors of which a trace was read."""
        return sum("has no price" in line and "Error: " in line for line in self.log)

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.log += self._process.stderr


@contextmanager
def candidates(names: Iterable[str], url: str) -> Iterator[dict[str, Candidate]]:
    with ExitStack() as stack:
        running = {
            name: Candidate(name, url, stack.enter_context(temporary_home("hosting"))) for name in names
        }
        yield running
        for candidate in running.values():
            candidate.end()


def measure(names: Iterable[str], url: str, pause: float) -> dict[str, Took]:
    """One round: every candidate's calls, block by block in turns."""
    took: dict[str, Took] = {}
    with candidates(names, url) as running:
        for _ in range(BLOCKS):
            for name, candidate in running.items():
                for kind in ("nowait", "awaited") if name == USERS else ("nowait",):
                    all_of_it = took.setdefault(f"{name}, {kind}", {"wall": [], "cpu": []})
                    for clock, seconds in candidate.turn(kind, pause).items():
                        all_of_it[clock] += seconds
    for name, candidate in running.items():
        assert candidate.traces == (0 if name in SILENT else candidate.errors), name
    return took


@pytest.mark.parametrize("pace", PACES)
def test_c1_c3_c4_what_a_call_costs_as_users_have_it(broker_url: str, pace: str) -> None:
    rounds = [measure((USERS, "sentry", *WITHOUT), broker_url, PACES[pace]) for _ in range(ROUNDS)]
    print()
    ours, awaited, theirs = f"{USERS}, nowait", f"{USERS}, awaited", "sentry, nowait"
    for text, one, other, clock, share, goal in (
        ("C1u handle_error_nowait / capture_exception, p50", ours, theirs, "wall", 0.5, "at most 0.03"),
        ("C1u await handle_error / capture_exception, p50", awaited, theirs, "wall", 0.5, "at most 0.03"),
        ("C1u handle_error_nowait / capture_exception, CPU, p50", ours, theirs, "cpu", 0.5, "at most 0.03"),
        ("C3u handle_error_nowait / capture_exception, p99", ours, theirs, "wall", 0.99, "at most 0.05"),
        ("C4u await handle_error / handle_error_nowait, p50", awaited, ours, "wall", 0.5, "at most 2"),
        *(
            (f"C1u part: {what}, CPU, p50", f"{part}, nowait", theirs, "cpu", 0.5, "none")
            for part, what in WITHOUT.items()
        ),
    ):
        seen = {
            name: [quantile(each[which][clock], share) * 1e6 for each in rounds]
            for name, which in (("us", one), ("against", other))
        }
        ratios = [a / b for a, b in zip(*seen.values(), strict=True)]
        report(f"{text}, an error {pace}", goal, ratios, seen)
