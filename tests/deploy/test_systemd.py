"""The guide for bare machines under a real systemd: its lines as they stand, and what happens to workers."""

import contextlib
import json
import os
import re
import shlex
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.booted import BootedMachine, booted, can_be_booted
from tests.deploy.guide import lines_of
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.process import reserve_port, wait_until
from tests.servers.rabbitmq import RabbitMQ

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1500),
    pytest.mark.may_block("boots a machine and waits for it"),
    pytest.mark.skipif(
        not can_be_booted() and not os.environ.get("CI"),
        reason="wants root, mmdebstrap and systemd-nspawn (systemd-container)",
    ),
]

GUIDE: Final = "deploy/docs/operate/systemd.md"
DATABASE_URL: Final = "/etc/faultwire/database_url"
PATIENT_FOR: Final = 40
"""Seconds of a wait, after which a unit with half of that as its limit would have been given up."""


class Site:
    """The booted machine with two workers, and what asks them from outside."""

    def __init__(self, machine: BootedMachine, ports: tuple[int, int], database_url: str) -> None:
        self.machine = machine
        self.ports = ports
        self.database_url = database_url
        self.units = [f"faultwire-worker@{port}" for port in ports]

    def is_ready(self, port: int) -> bool:
        return self._status(port, "/readyz") == 200

    def _status(self, port: int, path: str) -> int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return refusal.code
        except OSError:
            return None

    def why(self, port: int) -> str:
        """What systemd shows as the unit's status."""
        return self.machine.property_of(f"faultwire-worker@{port}", "StatusText")

    def state(self, unit: str) -> str:
        return self.machine.property_of(unit, "ActiveState")

    def pid(self, unit: str) -> int:
        return int(self.machine.property_of(unit, "MainPID"))

    def has_logged(self, unit: str, event: str) -> bool:
        lines = (line for line in self.machine.journal_of(unit).splitlines() if line.startswith("{"))
        return any(json.loads(line)["message"] == event for line in lines)

    def write_secret(self, path: str, text: str) -> None:
        self.machine.run("install", "--mode=0600", "/dev/stdin", path, text=text)


def test_the_guide_s_lines_give_workers_that_survive_what_happens_to_them(
    rabbitmq: RabbitMQ, private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    with booted(tmp_path) as machine:
        site = _follow_the_guide(machine, rabbitmq, private_postgresql)
        _restarted_one_after_the_other_one_is_always_ready(site)
        _a_reload_keeps_the_process(site)
        _a_killed_worker_comes_back(site)
        _a_worker_that_hangs_is_killed_and_comes_back(site)
        _a_database_that_is_away_is_waited_for_without_end(site, private_postgresql)
        _a_wrong_setting_is_not_tried_again_and_said_on_one_line(site)
        _all_end_together_and_in_peace(site)


def _follow_the_guide(machine: BootedMachine, rabbitmq: RabbitMQ, database: PrivatePostgreSQL) -> Site:
    first, second = reserve_port(), reserve_port()
    addresses = {"broker_administrator_url": rabbitmq.url, "broker_worker_url": rabbitmq.url}
    addresses["database_url"] = database.url
    ports = {"8787": str(first), "8788": str(second)}
    for line in chain.from_iterable(lines_of(GUIDE, ports)):
        # `health` asks the port that is documented, and another one is taken here.
        setting = f"FAULTWIRE_URL=http://127.0.0.1:{first} " if line.endswith("faultwire health") else ""
        machine.shell(setting + line, text=addresses.get(Path(shlex.split(line)[-1]).name))
    site = Site(machine, (first, second), database.url)
    for port, unit in zip(site.ports, site.units, strict=True):
        wait_until(partial(site.is_ready, port), f"{unit} is ready")
        assert re.fullmatch(r"4 of 4 lanes receive, \d+\.\d events a second", site.why(port))
        assert machine.property_of(unit, "NRestarts") == "0"
    assert machine.run("systemctl", "is-enabled", "faultwire.target").strip() == "enabled"
    return site


def _restarted_one_after_the_other_one_is_always_ready(site: Site) -> None:
    with _watched(site) as gaps:
        for port, unit in zip(site.ports, site.units, strict=True):
            site.machine.shell(f"systemctl restart {unit}")
            assert site._status(port, "/startupz") == 200, "it serves when the command comes back"
            wait_until(partial(site.is_ready, port), f"{unit} is ready")
    assert gaps == []


@contextlib.contextmanager
def _watched(site: Site) -> Iterator[list[str]]:
    """Look all the time whether somebody is there."""
    over, gaps = threading.Event(), list[str]()

    def look() -> None:
        while not over.wait(0.05):
            if not any(site._status(port, "/livez") == 200 for port in site.ports):
                gaps.append("nobody answered")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield gaps
    finally:
        over.set()
        watcher.join()


def _a_reload_keeps_the_process(site: Site) -> None:
    before = [site.pid(unit) for unit in site.units]
    site.machine.shell("systemctl reload 'faultwire-worker@*'")
    for unit in site.units:
        wait_until(partial(site.has_logged, unit, "worker.reloaded"), f"{unit} has read its rules again")
        wait_until(lambda unit=unit: site.state(unit) == "active", f"{unit} goes on")  # type: ignore[misc]
    assert [site.pid(unit) for unit in site.units] == before


def _a_killed_worker_comes_back(site: Site) -> None:
    port, unit = site.ports[0], site.units[0]
    site.machine.shell(f"systemctl kill --signal=KILL {unit}")
    wait_until(lambda: site.machine.property_of(unit, "NRestarts") == "1", "it is started again")
    wait_until(partial(site.is_ready, port), "it is ready again")


def _a_worker_that_hangs_is_killed_and_comes_back(site: Site) -> None:
    port, unit = site.ports[0], site.units[0]
    hanging = site.pid(unit)
    site.machine.shell(f"systemctl kill --signal=STOP {unit}")
    wait_until(lambda: site.pid(unit) not in (0, hanging), "the watchdog has it started again")
    wait_until(partial(site.is_ready, port), "it is ready again")
    assert site.machine.property_of(unit, "NRestarts") == "2"


def _a_database_that_is_away_is_waited_for_without_end(site: Site, database: PrivatePostgreSQL) -> None:
    port, unit = site.ports[0], site.units[0]
    folder = f"/run/systemd/system/{unit}.service.d"
    site.machine.shell(f"mkdir -p {folder}")
    text = f"[Service]\nTimeoutStartSec={PATIENT_FOR // 2}\n"
    site.machine.run("install", "--mode=0644", "/dev/stdin", f"{folder}/limit.conf", text=text)
    site.machine.shell("systemctl daemon-reload")
    database.stop_immediately()
    site.machine.shell(f"systemctl restart --no-block {unit}")
    wait_until(lambda: "postgresql://" in site.why(port), "systemd shows why it waits")
    waiting = site.pid(unit)
    wait_until(lambda: _age(site, waiting) >= PATIENT_FOR, "it has waited for long")
    assert (site.state(unit), site.pid(unit)) == ("activating", waiting)
    assert site._status(port, "/livez") == 200
    assert site._status(port, "/startupz") == 503
    _start(database)
    wait_until(lambda: site.state(unit) == "active", "it starts when the database is there")
    wait_until(partial(site.is_ready, port), "it is ready")
    assert site.pid(unit) == waiting


def _start(database: PrivatePostgreSQL) -> None:
    database._server.start()


def _age(site: Site, pid: int) -> int:
    """Seconds since a process of the machine began."""
    return int(site.machine.run("ps", "--no-headers", "-o", "etimes", "--pid", str(pid)))


def _a_wrong_setting_is_not_tried_again_and_said_on_one_line(site: Site) -> None:
    port, unit = site.ports[0], site.units[0]
    site.write_secret(DATABASE_URL, "mysql://somewhere/faultwire")
    site.machine.shell(f"systemctl restart {unit} || true")
    wait_until(lambda: site.state(unit) == "failed", "it has failed")
    assert site.machine.property_of(unit, "ExecMainStatus") == "78"
    said = [line for line in site.machine.journal_of(unit).splitlines() if line.startswith("faultwire: ")]
    assert len(said) == 1
    assert "FAULTWIRE_DATABASE_URL_FILE" in said[0]
    site.write_secret(DATABASE_URL, site.database_url)
    site.machine.shell(f"systemctl restart {unit}")
    wait_until(partial(site.is_ready, port), "it is ready again")


def _all_end_together_and_in_peace(site: Site) -> None:
    site.machine.shell("systemctl stop faultwire.target")
    for unit in site.units:
        wait_until(partial(_is_over, site, unit), f"{unit} has ended")
        assert site.machine.property_of(unit, "Result") == "success"
        assert site.has_logged(unit, "worker.drained")


def _is_over(site: Site, unit: str) -> bool:
    return site.state(unit) == "inactive"
