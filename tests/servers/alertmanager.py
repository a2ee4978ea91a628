"""A private Prometheus Alertmanager, whose notifications go to an address of the test's."""

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError

from tests.servers.process import ServerProcess, reserve_port, temporary_home

PROGRAM: Final = "/usr/bin/prometheus-alertmanager"
_SETTINGS: Final = """
route:
  receiver: sink
  group_by: [service]
  group_wait: 100ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: sink
    webhook_configs:
      - url: {sink}
        send_resolved: true
"""


def is_installed() -> bool:
    return Path(PROGRAM).exists()


class PrivateAlertmanager:
    """One Alertmanager, and what its own API says."""

    def __init__(self, url: str) -> None:
        self.url = url

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that fire, silenced and inhibited ones among them."""
        return list(self._get("/api/v2/alerts"))

    def groups(self) -> list[dict[str, Any]]:
        """The groups in which they are told."""
        return list(self._get("/api/v2/alerts/groups"))

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310 - our own
                return answer.status == 200
        except (URLError, OSError):
            return False

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - our own
            return json.load(answer)


@contextmanager
def alertmanager(sink: str, *, web: str = "") -> Iterator[PrivateAlertmanager]:
    """An Alertmanager of the test's own; ``web`` is the text of its ``--web.config.file``."""
    server = PrivateAlertmanager(f"http://127.0.0.1:{reserve_port()}")
    with temporary_home("alertmanager") as home:
        settings = home / "alertmanager.yml"
        settings.write_text(_SETTINGS.format(sink=sink))
        command = [
            PROGRAM,
            f"--config.file={settings}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address={server.url.removeprefix('http://')}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        if web:
            (home / "web.yml").write_text(web)
            command.append(f"--web.config.file={home / 'web.yml'}")
        process = ServerProcess(command, dict(os.environ), home / "log")
        try:
            process.wait_until(server.is_ready, "Alertmanager answers")
            yield server
        finally:
            process.end()
