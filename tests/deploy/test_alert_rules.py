"""Each alert has what somebody who is woken needs, and its test fails without it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML
from tests.tools import dashboard
from tests.tools.reference import ROOT, RULES, alerts, all_metrics, worker_registry

TESTS: Final = ROOT / "deploy/prometheus/faultwire.rules.test.yml"
PROMTOOL: Final = "/usr/bin/promtool"
_NAME: Final = re.compile(r"\b((?:faultwire|process)_[a-z0-9_]+)")
PROCESS: Final = {
    f"process_{name}"
    for name in ("start_time_seconds", "cpu_seconds_total", "resident_memory_bytes", "open_fds")
}
_SUFFIXES: Final = ("", "_bucket", "_sum", "_count")


needs_promtool = pytest.mark.skipif(
    not Path(PROMTOOL).exists() and not os.environ.get("CI"), reason="no promtool: install prometheus"
)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)


def metrics_in(expression: str) -> set[str]:
    return set(_NAME.findall(expression))


def is_declared(name: str, declared: set[str]) -> bool:
    return any(name.removesuffix(suffix) in declared for suffix in _SUFFIXES)


def test_each_alert_says_what_is_wrong_what_to_do_and_where_more_stands() -> None:
    guide = (ROOT / "deploy/docs/reference/alerts.md").read_text()
    for rule in alerts():
        said = rule["annotations"]
        assert set(said) == {"summary", "cure", "runbook_url"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert said["runbook_url"] == f"deploy/docs/reference/alerts.md#{rule['alert'].lower()}"
        assert f"\n## {rule['alert']}\n" in guide


def test_the_dashboard_asks_for_metrics_that_a_worker_has() -> None:
    declared = {metric.name for metric in all_metrics()} | PROCESS
    for expression in dashboard.expressions():
        for name in metrics_in(expression):
            assert is_declared(name, declared), f"{expression} asks for {name}"


def test_an_alert_asks_for_metrics_that_a_worker_has() -> None:
    declared = {metric.name for metric in all_metrics()} | PROCESS
    for rule in alerts():
        for name in metrics_in(rule["expr"]):
            assert is_declared(name, declared), f"{rule['alert']} asks for {name}"


def test_the_design_s_alerts_are_there() -> None:
    wanted = (
        "WorkerDown NoWorker NotReady RestartLoop LaneNotReceiving LaneBacklog EventsLost SequenceGap "
        "DeadLettersGrow BrokerDeadQueueNotEmpty DispatcherOverdue NotificationsGivenUp StoreErrors "
        "StatementSlow PartitionsMissing RetentionStuck DiskFullIn4Days LoopLag CertificateExpires "
        "ServiceQuiet ConfigRefused ProducersSpooling"
    )
    assert {rule["alert"] for rule in alerts()} == {f"Faultwire{name}" for name in wanted.split()}


@pytest.mark.e2e  # `make check` runs the rules' tests too
@needs_promtool
def test_each_alert_fires_for_its_case_and_for_nothing_else() -> None:
    done = promtool("test", "rules", str(TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e  # `make check` runs the rules' tests too
@needs_promtool
def test_the_test_of_an_alert_fails_where_it_never_fires(tmp_path: Path) -> None:
    written = YAML(typ="safe").load(TESTS.read_text())
    for number, rule in enumerate(alerts()):
        document = YAML(typ="safe").load(RULES.read_text())
        document["groups"][0]["rules"][number]["expr"] = "vector(0) > 1"
        cases = [case for case in written["tests"] if rule["alert"] in str(case["promql_expr_test"])]
        _put(tmp_path / RULES.name, document)
        _put(tmp_path / TESTS.name, written | {"tests": cases})
        done = promtool("test", "rules", str(tmp_path / TESTS.name))
        assert done.returncode != 0, rule["alert"]
        assert rule["alert"] in done.stdout + done.stderr


def _put(path: Path, document: object) -> None:
    with path.open("w") as file:
        YAML(typ="safe").dump(document, file)


@needs_promtool
def test_what_a_worker_shows_is_as_prometheus_likes_it() -> None:
    shown = generate_latest(worker_registry())
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=shown, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == b""
    assert b"_created" not in shown
