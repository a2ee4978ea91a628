"""The guide for bare machines, walked word by word: its commands as they stand, its units as systemd's.

All of it in a mount namespace with an /etc and an /opt of its own. What stands in for systemd reads the
units: it hands over credentials, and runs each command as a user that owns nothing.
"""

import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.guide import lines_of
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerProcess, reserve_port, run, run_status, wait_until
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import FAULTWIRE

ROOT: Final = Path(__file__).parents[2]
NOBODY: Final = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
INSTALLS: Final = ("venv", "pip")
"""What tests/deploy/test_dockerfile.py runs: the same packages, by the same hashes."""

pytestmark = [
    pytest.mark.may_block("starts processes and waits for them"),
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("nsenter") is None,
        reason="wants root, and mount namespaces (util-linux)",
    ),
]


class Machine:
    """An /etc and an /opt for the guide's commands, and what stands in for systemd."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workers: dict[str, ServerProcess] = {}
        shutil.copytree("/etc", home / "etc", symlinks=True, ignore_dangling_symlinks=True)
        (home / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        steps = [
            f"mount --bind {shlex.quote(str(home / 'etc'))} /etc",
            "mount -t tmpfs -o mode=0755 tmpfs /opt",
            *_opened(Path(sys.base_prefix), Path(sys.prefix), ROOT),
            "mkdir -p /opt/faultwire/bin /opt/credentials",
            f"ln -s {shlex.quote(FAULTWIRE)} /opt/faultwire/bin/faultwire",
            "exec sleep infinity",
        ]
        self._holder = subprocess.Popen(["unshare", "--mount", "sh", "-ec", "\n".join(steps)])
        there = self.command("test", "-e", "/opt/faultwire/bin/faultwire")
        wait_until(partial(run_status, there, dict(os.environ)), "the namespace stands")

    def command(self, *words: str) -> list[str]:
        """A command on this machine."""
        # By its root as well: entering a namespace leaves a change of root behind.
        return ["nsenter", "--mount", "--root", f"--target={self._holder.pid}", f"--wd={ROOT}", *words]

    def run(self, *words: str, text: str | None = None) -> str:
        """Run it to its end."""
        return run(self.command(*words), {"PATH": os.environ["PATH"]}, text=text)

    def systemctl(self, verb: str, *words: str) -> None:
        """The few verbs that the guide uses."""
        units = [word for word in words if not word.startswith("--")]
        if verb == "start":
            for unit in units:
                for command in self._commands_of(unit):
                    self.run(*command)
        elif verb == "enable":
            for unit in units:
                (command,) = self._commands_of(unit)
                log = self.home / f"{unit}.log"
                self.workers[unit] = ServerProcess(self.command(*command), {}, log)
        elif verb == "reload":
            for worker in self.workers.values():
                # One that is only just starting reads its rules anyway, and tells of no other reading.
                wait_until(partial(_has_logged, worker, "worker.started"), "the worker has started")
                worker.send(signal.SIGHUP)
        else:
            assert verb in ("status", "daemon-reload")

    def _commands_of(self, unit: str) -> list[list[str]]:
        """A unit's commands, each as a user of its own with what the unit gives it."""
        name, _, instance = unit.partition("@")
        text = (self.home / f"etc/systemd/system/{name}{'@' if instance else ''}.service").read_text()
        credentials, state = f"/opt/credentials/{unit}", f"/opt/state/{unit}"
        self.run("mkdir", "-p", credentials, state)
        for one in re.findall(r"^LoadCredential=(.*)$", text, re.MULTILINE):
            to, path = one.split(":")
            self.run("cp", path, f"{credentials}/{to}")
        self.run("chown", "-R", "65534:65534", credentials, state)
        text = text.replace("%d", credentials).replace("%i", instance)
        settings = " ".join(re.findall(r"^Environment=(.*)$", text, re.MULTILINE)).split()
        clean = ["env", "-i", "-C", state, f"PATH={os.environ['PATH']}", *settings]
        found = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        return [[*NOBODY, *clean, *shlex.split(command)] for command in found]

    def end(self) -> None:
        for worker in self.workers.values():
            worker.end()
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.end()


def test_whoever_follows_the_guide_has_two_workers_that_are_ready(
    machine: Machine, rabbitmq: RabbitMQ, postgresql: PostgreSQL
) -> None:
    ports = {"8787": str(reserve_port()), "8788": str(reserve_port())}
    addresses = {"broker_administrator_url": rabbitmq.url, "broker_worker_url": rabbitmq.url}
    addresses["database_url"] = postgresql.url
    for line in _commands(ports):
        words = shlex.split(line)
        if words[0] == "systemctl":
            machine.systemctl(*words[1:])
        elif words[-1] == "health":
            health = machine.command("env", f"FAULTWIRE_URL=http://127.0.0.1:{ports['8787']}", *words)
            wait_until(partial(run_status, health, {}), "the worker is ready")
        elif not set(words) & set(INSTALLS):
            given = addresses.get(Path(words[-1]).name)
            machine.run("sh", "-ec", line, text=given)
    assert len(machine.workers) == 2
    for worker in machine.workers.values():
        wait_until(partial(_has_logged, worker, "worker.reloaded"), "it has read its rules again")
        assert worker.end(signal.SIGTERM) == 0


def _opened(*places: Path) -> Iterator[str]:
    """Steps by which nobody in particular reaches the places, though they lie in somebody's own folder."""
    closed = {place: _closed_above(place) for place in places}
    hidden = [place for place in places if closed[place] is not None]
    for number, place in enumerate(hidden):
        yield f"mkdir /opt/{number} && mount --bind {shlex.quote(str(place))} /opt/{number}"
    for folder in sorted({str(closed[place]) for place in hidden}):
        yield f"mount -t tmpfs -o mode=0755 tmpfs {shlex.quote(folder)}"
    for number, place in enumerate(hidden):
        yield f"mkdir -p {shlex.quote(str(place))} && mount --move /opt/{number} {shlex.quote(str(place))}"


def _closed_above(place: Path) -> Path | None:
    return next((one for one in reversed(place.parents) if not one.stat().st_mode & stat.S_IXOTH), None)


def _has_logged(worker: ServerProcess, name: str) -> bool:
    return name in worker.log.read_text()


def _commands(ports: dict[str, str]) -> Iterator[str]:
    """The guide's commands as root types them, with this machine's free ports."""
    for line in chain.from_iterable(lines_of("deploy/docs/operate/systemd.md", ports)):
        yield line.removeprefix("sudo ")
