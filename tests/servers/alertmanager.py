"""A private Prometheus Alertmanager, whose notifications go to an address of the test's."""

import json
import os
import urllib.request
from base64 import b64encode
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


def is_wanted() -> bool:
    """Whether its tests run: where it is installed, and in CI, where they fail without it."""
    return Path(PROGRAM).exists() or bool(os.environ.get("CI"))


class PrivateAlertmanager:
    """One Alertmanager, and what its own API says."""

    def __init__(self, url: str, login: tuple[str, str] | None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Basic {_encoded(login)}"} if login else {}

    def firing(self, origin: str) -> list[dict[str, Any]]:
        """One worker's alerts that fire, silenced and inhibited ones among them."""
        return [one for one in self._get("/api/v2/alerts") if one["labels"].get("origin") == origin]

    def groups(self) -> list[dict[str, Any]]:
        """The groups in which they are told."""
        return list(self._get("/api/v2/alerts/groups"))

    @property
    def delivered(self) -> int:
        """Notifications that its receiver has answered well."""
        name = 'alertmanager_notification_requests{}_total{{integration="webhook"}} '
        counts = [
            int(line.removeprefix(name.format(kind)))
            for kind in ("", "_failed")
            for line in self._open("/metrics").decode().splitlines()
            if line.startswith(name.format(kind))
        ]
        return counts[0] - counts[1]

    def is_ready(self) -> bool:
        try:
            self._open("/-/ready")
            return True
        except (URLError, OSError):
            return False

    def _get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def _open(self, path: str) -> bytes:
        asked = urllib.request.Request(f"{self.url}{path}", headers=self._headers)  # noqa: S310 - our own
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own
            return bytes(answer.read())


def _encoded(login: tuple[str, str]) -> str:
    return b64encode(":".join(login).encode()).decode()


@contextmanager
def alertmanager(
    sink: str, *, web: str = "", login: tuple[str, str] | None = None
) -> Iterator[PrivateAlertmanager]:
    """An Alertmanager of the test's own; ``web`` is the text of its ``--web.config.file``."""
    server = PrivateAlertmanager(f"http://127.0.0.1:{reserve_port()}", login)
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
