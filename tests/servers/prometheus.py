"""A private Prometheus with our rules, which scrapes what a test runs."""

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError

from tests.servers.process import ServerProcess, reserve_port, temporary_home

PROGRAM: Final = "/usr/bin/prometheus"
_SETTINGS: Final = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: faultwire
    static_configs: [{{targets: {targets}}}]
"""


def is_wanted() -> bool:
    """Whether its tests run: where it is installed, and in CI, where they fail without it."""
    return Path(PROGRAM).exists() or bool(os.environ.get("CI"))


class PrivatePrometheus:
    """One Prometheus, and what its own API says."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now.

        Raises:
            AssertionError: Prometheus cannot read it.
        """
        answer = self._get("/api/v1/query", {"query": expression})
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return list(answer["data"]["result"])

    def alerts(self) -> set[tuple[str, str]]:
        """The alerts that are pending or fire, by name and state."""
        found = self._get("/api/v1/alerts", {})["data"]["alerts"]
        return {(one["labels"]["alertname"], one["state"]) for one in found}

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=30) as answer:  # noqa: S310 - our own
                return int(answer.status) == 200
        except (URLError, OSError):
            return False

    def _get(self, path: str, words: Mapping[str, str]) -> Any:
        asked = f"{self.url}{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own
                return json.loads(answer.read())
        except HTTPError as refusal:
            with refusal:
                return json.loads(refusal.read())


@contextmanager
def prometheus(targets: Sequence[str], rules: str) -> Iterator[PrivatePrometheus]:
    """A Prometheus of the test's own; ``rules`` is the text of its file of rules."""
    server = PrivatePrometheus(f"http://127.0.0.1:{reserve_port()}")
    with temporary_home("prometheus") as home:
        (home / "rules.yml").write_text(rules)
        settings = home / "prometheus.yml"
        settings.write_text(_SETTINGS.format(rules=home / "rules.yml", targets=json.dumps(list(targets))))
        command = [
            PROGRAM,
            f"--config.file={settings}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address={server.url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        process = ServerProcess(command, dict(os.environ), home / "log")
        try:
            process.wait_until(server.is_ready, "Prometheus answers")
            yield server
        finally:
            process.end()
