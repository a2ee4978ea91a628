"""A call's cost for its caller, and the client's for its process, beside sentry-sdk's and logging's.

The client alone: nobody reads its line, memory confirms, and storms are not watched, which flatters it. What
a call costs where all of that is as users have it is measured by `test_hosting.py`.
"""

import json
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.benchmarks import capturing, loading
from tests.benchmarks.report import report
from tests.servers.process import run, temporary_home
from tests.servers.worker import clean_environment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
ROOT: Final = Path(__file__).parents[2]
RATIOS: Final = (
    (
        "C1 the client alone: handle_error_nowait / capture_exception, p50",
        "nowait",
        "sentry",
        0.50,
        "at most 0.02",
    ),
    ("C2 the same / without locals and source", "nowait", "sentry, lean", 0.50, "at most 0.08"),
    ("C2 the same / logging.exception as JSON", "nowait", "logging", 0.50, "at most 0.05"),
    (
        "C3 the client alone: handle_error_nowait / capture_exception, p99",
        "nowait",
        "sentry",
        0.99,
        "at most 0.03",
    ),
    ("C4 await handle_error / handle_error_nowait, p50", "awaited", "nowait", 0.50, "at most 2"),
    ("the same with local variables / without, p50", "variables", "nowait", 0.50, "none"),
    ("the same with local variables / capture_exception, p50", "variables", "sentry", 0.50, "at most 0.1"),
    ("an error alone, storms watched / not, p50", "alone", "nowait", 0.50, "none"),
    ("an error of a storm / an error with storms not watched, p50", "collapsed", "nowait", 0.50, "under 1"),
)


def measure(script: str, *arguments: str) -> Any:
    """Run a script in a process and a directory of its own."""
    with temporary_home("capturing") as home:
        environment = clean_environment(home) | {"PYTHONPATH": str(ROOT)}
        return json.loads(run([sys.executable, script, *(arguments or (str(home),))], environment))


def quantile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[int(len(seconds) * share)]


def test_c1_c2_c3_c4_what_a_call_costs_its_caller() -> None:
    rounds = [measure(capturing.__file__) for _ in range(ROUNDS)]
    print()
    for name in rounds[0]:
        p50, p99 = (
            statistics.median(quantile(each[name], share) for each in rounds) for share in (0.5, 0.99)
        )
        print(f"{name}: p50 {p50 * 1e6:,.1f} us, p99 {p99 * 1e6:,.1f} us")
    for text, ours, theirs, share, goal in RATIOS:
        ratios = [quantile(each[ours], share) / quantile(each[theirs], share) for each in rounds]
        report(text, goal, ratios)


def test_m1_what_the_client_costs_its_process() -> None:
    rounds = [
        (measure(loading.__file__, "faultwire"), measure(loading.__file__, "sentry_sdk"))
        for _ in range(ROUNDS)
    ]
    print()
    for text, key, goal in (
        ("M1 import faultwire / import sentry_sdk, seconds", "seconds", "at most 0.5"),
        ("M1 memory after the import, ours / theirs", "imported_mib", "at most 0.5"),
        ("M1 memory after 100 errors, ours / theirs", "used_mib", "at most 0.5"),
    ):
        report(text, goal, [ours[key] / theirs[key] for ours, theirs in rounds])
    report("M1 import faultwire, ms", "under 100", [ours["seconds"] * 1e3 for ours, _ in rounds])
    report("M1 memory after 100 errors, MiB", "none", [ours["used_mib"] for ours, _ in rounds])
