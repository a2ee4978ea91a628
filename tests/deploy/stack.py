"""The compose file's services on this machine: their commands, variables and secrets, without an engine."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from tests.servers.process import ServerProcess, run, run_status
from tests.servers.worker import clean_environment

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
SECRETS: Final = "/run/secrets"
_CHOSEN: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
"""A variable of whoever starts it, and what stands in its place."""


def read_compose() -> dict[str, Any]:
    """The compose file with its merges and anchors resolved."""
    document: dict[str, Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    return document


@dataclass
class Stack:
    """A place for secrets and state, and where the servers of this machine listen."""

    home: Path
    ports: dict[str, int]
    """By the service's name: what stands in addresses as its host."""

    def __post_init__(self) -> None:
        self.secrets = self.home / "secrets"
        run([str(DEPLOY / "make-secrets"), str(self.secrets)])
        for path in self.secrets.glob("*_url"):
            url = urlsplit(path.read_text().strip())
            port = self.ports[url.hostname or ""]
            address = f"{(url.netloc.rpartition('@')[0])}@127.0.0.1:{port}"
            path.write_text(url._replace(netloc=address).geturl() + "\n")

    def environment_of(self, service: dict[str, Any]) -> dict[str, str]:
        """What a container's process finds, with the secrets where they are here."""
        given = {name: self.localised(str(value)) for name, value in service.get("environment", {}).items()}
        return clean_environment(self.home) | given

    def command_of(self, service: dict[str, Any]) -> list[str]:
        """The whole command line."""
        entrypoint = service.get("entrypoint", ["faultwire"])
        return [self.localised(word) for word in (*entrypoint, *service["command"])]

    def run(self, service: dict[str, Any]) -> None:
        """Run a one-shot service to its end."""
        run(self.command_of(service), self.environment_of(service))

    def start(self, service: dict[str, Any], port: int) -> ServerProcess:
        """Start a worker on this machine's port, and wait until its health check passes."""
        home = self.home / str(port)
        home.mkdir()
        environment = self._environment_at(service, port)
        health = [self._find(service["healthcheck"]["test"][1]), *service["healthcheck"]["test"][2:]]
        command = self.command_of(service)
        process = ServerProcess([self._find(command[0]), *command[1:]], environment, home / "worker.log")
        process.wait_until(lambda: run_status(health, environment), "the worker is healthy")
        return process

    def run_beside(
        self, service: dict[str, Any], port: int, *arguments: str, token: str | None = None
    ) -> str:
        """Run a command in a worker's container, as ``docker compose exec`` does; what it printed."""
        shown = {} if token is None else {"FAULTWIRE_TOKEN": token}
        return run([self._find("faultwire"), *arguments], self._environment_at(service, port) | shown)

    def run_script(self, script: Path, **environment: str) -> None:
        """Run a script of the deployment with this machine's paths in it."""
        subprocess.run(
            ["/bin/sh", "-c", self.localised(script.read_text())],
            env=clean_environment(self.home) | environment,
            check=True,
            timeout=60,
        )

    def localised(self, text: str) -> str:
        """The text with a container's paths as they are here."""
        text = _CHOSEN.sub(r"\1", text)
        return text.replace(SECRETS, str(self.secrets)).replace("/var/lib/faultwire", str(self.home))

    def _environment_at(self, service: dict[str, Any], port: int) -> dict[str, str]:
        """A container has its ports for itself; here each worker listens elsewhere."""
        url = {"FAULTWIRE_HTTP_PORT": str(port), "FAULTWIRE_URL": f"http://127.0.0.1:{port}"}
        return self.environment_of(service) | url

    @staticmethod
    def _find(name: str) -> str:
        return str(Path(sys.executable).with_name(name))
