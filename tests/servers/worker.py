"""The worker as its users run it: a process of the command line, to kill and to start again."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from tests.servers.process import ServerProcess, reserve_port, run

FAULTWIRE: Final = str(Path(sys.executable).with_name("faultwire"))


class Worker:
    """``faultwire worker`` in a directory of its own, on SQLite there if nothing else is said."""

    def __init__(self, home: Path, *, broker_url: str | None = None, database_url: str | None = None) -> None:
        self.port = reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        self.log = home / "worker.log"
        self.environment = clean_environment(home) | {
            "FAULTWIRE_DATABASE_URL": database_url or f"sqlite:///{home / 'faultwire.db'}",
            "FAULTWIRE_HTTP_PORT": str(self.port),
            "FAULTWIRE_URL": self.url,
        }
        if broker_url is not None:
            self.environment["FAULTWIRE_BROKER_URL"] = broker_url
        self._process: ServerProcess | None = None

    def prepare(self) -> None:
        """What an administrator does first: the schema, and the broker's topology."""
        self.command("db", "upgrade")
        if "FAULTWIRE_BROKER_URL" in self.environment:
            self.command("topology", "apply")

    def command(self, *arguments: str) -> str:
        """Run ``faultwire`` with the arguments, against this worker; returns its output."""
        return run([FAULTWIRE, *arguments], self.environment)

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self._process = ServerProcess([FAULTWIRE, "worker"], self.environment, self.log)
        self._process.wait_until(self._is_ready, "the worker is ready")

    @property
    def has_run(self) -> bool:
        """Whether it was started before."""
        return self._process is not None

    @property
    def process(self) -> ServerProcess:
        """The one that was started last."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.end()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code after the drain."""
        assert self._process is not None
        return self._process.end(signal.SIGTERM)

    def get(self, path: str) -> Any:
        """The JSON that stands at a path of its API."""
        return json.loads(self._read(path))

    def get_text(self, path: str) -> str:
        """What stands at a path of its API or page."""
        return self._read(path).decode()

    def _read(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - our own http
                body: bytes = answer.read()
        except urllib.error.HTTPError as refusal:
            refusal.close()  # it holds the connection, and Python 3.14 warns of one that nobody closes
            raise
        return body

    def _is_ready(self) -> bool:
        try:
            self.get("/readyz")
        except OSError:  # refused, or the 503 of one that is not ready
            return False
        return True


def clean_environment(home: Path) -> dict[str, str]:
    """This process's environment without what would configure faultwire, at home elsewhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FAULTWIRE_")}
    for foreign in ("DATABASE_URL", "DATABASE_READ_URL", "RABBITMQ_URL", "PORT"):
        ours.pop(foreign, None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return ours | {"PATH": path, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "NO_COLOR": "1"}
